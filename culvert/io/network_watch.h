#pragma once

#include <expected>
#include <memory>
#include <system_error>

struct mnl_socket;
struct nlmsghdr;

namespace culvert::io {

/// Hears from the kernel that links, addresses, routes or rules of this network namespace change. For the control
/// thread; never blocks. What changed is for the caller to look up: notifications get lost when many come at once.
class NetworkWatch {
public:
    struct Changes {
        /// Addresses, links or default routes that are not ours.
        bool host = false;
        /// Other routes that are not ours. A router's change all the time.
        bool routes = false;
        /// Something of ours was removed: rule, route or address; or the TUN interface was taken down, or forwarding
        /// switched off.
        bool ours = false;
    };

    [[nodiscard]] static std::expected<NetworkWatch, std::error_code> open(unsigned tun_index);
    ~NetworkWatch();
    NetworkWatch(NetworkWatch&&) noexcept;
    NetworkWatch& operator=(NetworkWatch&&) noexcept;

    /// Readable when there is something to take().
    [[nodiscard]] int fd() const;
    /// What happened since the last call.
    [[nodiscard]] Changes take();

private:
    struct Closer {
        void operator()(mnl_socket* socket) const;
    };

    explicit NetworkWatch(unsigned tun_index) : tun_index_{tun_index} {}

    void note(const nlmsghdr* header, Changes& changes) const;

    std::unique_ptr<mnl_socket, Closer> socket_;
    unsigned tun_index_;
};

}  // namespace culvert::io
