#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/bytes.h"
#include "culvert/base/uuid.h"
#include "culvert/net/ip_address.h"

/// Payloads of control packets. Source: spec/tunnel.md section 5.2.
namespace culvert::tunnel::p2p {

/// Client to gateway: resolve `domain` and translate the proxy IPs to what it resolves to.
struct AssignedIps {
    ResourceId resource;
    std::string domain;
    std::vector<net::IpAddress> proxy_ips;

    friend bool operator==(const AssignedIps&, const AssignedIps&) = default;
};

enum class NatStatus { kActive, kInactive };

/// Gateway to client: whether the translation for `domain` is in place.
struct DomainStatus {
    ResourceId resource;
    std::string domain;
    NatStatus status = NatStatus::kInactive;

    friend bool operator==(const DomainStatus&, const DomainStatus&) = default;
};

/// nullopt if the text is not JSON, or a member is missing, repeated or of the wrong type. Unknown members are ignored.
[[nodiscard]] std::optional<AssignedIps> decode_assigned_ips(ByteSpan payload);
/// The same. A status that this version does not know counts as inactive.
[[nodiscard]] std::optional<DomainStatus> decode_domain_status(ByteSpan payload);

[[nodiscard]] std::string encode(const AssignedIps& assigned);
[[nodiscard]] std::string encode(const DomainStatus& status);

}  // namespace culvert::tunnel::p2p
