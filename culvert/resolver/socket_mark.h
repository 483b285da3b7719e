#pragma once

#include <cstdint>
#include <optional>

namespace culvert::resolver {

/// SO_MARK of our sockets, which keeps them out of the tunnel (io::kSocketMark). Unset: none, for where no tunnel is.
using SocketMark = std::optional<std::uint32_t>;

/// Marks a socket that is not connected yet. False: it must not be used, since it may lead into the tunnel, and so back
/// to us. Needs CAP_NET_ADMIN.
[[nodiscard]] bool set_mark(int fd, const SocketMark& mark);

}  // namespace culvert::resolver
