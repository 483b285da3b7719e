// Ingest tokens and flow records on any text: what a decoder accepts keeps its meaning when it is written and read
// again, and nothing that somebody else signed is ever taken for ours.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <boost/json/parse.hpp>

#include "culvert/portal_api/flow_record.h"
#include "culvert/portal_api/ingest_token.h"

namespace {

using namespace culvert::portal_api;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

void check_token(std::string_view text) {
    static const IngestKey kKey;
    const auto claims = decode_ingest_token(text);
    const auto verified = verify_ingest_token(text, kKey, {});
    require(!verified || (claims && *verified == *claims));
    if (claims) {
        const auto again =
            verify_ingest_token(sign_ingest_token(*claims, kKey), kKey, claims->expires_at - std::chrono::seconds{1});
        // Long claims are cut, so only what they are about must stay.
        require(again && again->account == claims->account &&
                again->policy_authorization == claims->policy_authorization && again->role == claims->role &&
                again->uploads_enabled == claims->uploads_enabled);
    }
}

void check_record(std::string_view text) {
    boost::system::error_code error;
    const auto value = boost::json::parse({text.data(), text.size()}, error);
    const auto record = error ? std::unexpected{std::string{"no JSON"}} : decode_flow_record(value);
    if (!record) {
        require(!record.error().empty());
        return;
    }
    require(decode_flow_record(boost::json::parse(encode_flow_record(*record))) == record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    check_token(text);
    check_record(text);
    return 0;
}
