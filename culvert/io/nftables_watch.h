#pragma once

#include <expected>
#include <memory>
#include <string>
#include <system_error>

struct mnl_socket;

namespace culvert::io {

/// Hears from the kernel that an nftables table of this network namespace changes. For the control thread; never
/// blocks. What happens to other tables is none of its business, and costs next to nothing.
class NftablesWatch {
public:
    [[nodiscard]] static std::expected<NftablesWatch, std::error_code> open(std::string table);
    ~NftablesWatch();
    NftablesWatch(NftablesWatch&&) noexcept;
    NftablesWatch& operator=(NftablesWatch&&) noexcept;

    /// Readable when there is something to take().
    [[nodiscard]] int fd() const;
    /// Whether the table may have changed since the last call: by whomever, so by us as well.
    [[nodiscard]] bool take();

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };

    explicit NftablesWatch(std::string table) : table_{std::move(table)} {}

    std::unique_ptr<mnl_socket, Closer> socket_;
    std::string table_;
};

}  // namespace culvert::io
