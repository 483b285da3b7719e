#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "culvert/net/ip_address.h"
#include "culvert/os_dns/dns_control.h"
#include "culvert/os_dns/settings.h"

/// What a client and its keeper (keeper.h) say to each other: one packet for each.
namespace culvert::os_dns {

struct Apply {
    Settings settings;
    friend bool operator==(const Apply&, const Apply&) = default;
};
struct FlushCaches {
    friend bool operator==(const FlushCaches&, const FlushCaches&) = default;
};
/// As before, please, and goodbye.
struct End {
    friend bool operator==(const End&, const End&) = default;
};
using KeeperRequest = std::variant<Apply, FlushCaches, End>;

/// The first report: it is all set up.
struct Started {
    friend bool operator==(const Started&, const Started&) = default;
};
/// Answers Apply.
struct Applied {
    friend bool operator==(const Applied&, const Applied&) = default;
};
/// Answers FlushCaches.
struct Flushed {
    friend bool operator==(const Flushed&, const Flushed&) = default;
};
/// The client cannot go on; for a person.
struct Failed {
    std::string text;
    friend bool operator==(const Failed&, const Failed&) = default;
};
/// Whom the machine would ask without us: at first, and whenever it is somebody else.
struct SystemResolvers {
    std::vector<net::IpAddress> addresses;
    friend bool operator==(const SystemResolvers&, const SystemResolvers&) = default;
};
using Report = std::variant<Started, Applied, Flushed, Failed, SystemResolvers, Notice>;

/// The longest packet of either side.
inline constexpr std::size_t kMaxPacket = std::size_t{32} * 1024;

/// At most kMaxPacket; what would not fit is cut off.
[[nodiscard]] std::string encode(const KeeperRequest& request);
[[nodiscard]] std::string encode(const Report& report);
/// Nullopt unless it is exactly what encode() makes: each side may have been taken over.
[[nodiscard]] std::optional<KeeperRequest> decode_request(std::string_view packet);
[[nodiscard]] std::optional<Report> decode_report(std::string_view packet);

}  // namespace culvert::os_dns
