#include "culvert/io/nftables.h"

#include <nftables/libnftables.h>

#include <memory>

namespace culvert::io {
namespace {

struct NftContextDeleter {
    void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

}  // namespace

std::expected<std::string, std::string> run_nft(const std::string& commands) {
    const std::unique_ptr<nft_ctx, NftContextDeleter> context{nft_ctx_new(NFT_CTX_DEFAULT)};
    if (!context) {
        return std::unexpected{std::string{"out of memory"}};
    }
    nft_ctx_buffer_error(context.get());
    nft_ctx_buffer_output(context.get());
    nft_ctx_output_set_flags(context.get(), NFT_CTX_OUTPUT_TERSE);
    if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) != 0) {
        const std::string text = nft_ctx_get_error_buffer(context.get());
        return std::unexpected{text.substr(0, text.find('\n'))};
    }
    return nft_ctx_get_output_buffer(context.get());
}

}  // namespace culvert::io
