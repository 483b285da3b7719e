#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/base/uuid.h"
#include "culvert/portal_api/messages.h"

namespace culvert::tunnel {

enum class ResourceType { kDns, kCidr, kInternet };
enum class ResourceStatus { kUnknown, kOnline, kOffline };

/// "Unknown", "Online" or "Offline".
[[nodiscard]] std::string_view to_string(ResourceStatus status);

/// A resource as shown to users (spec/tunnel.md section 3.14).
struct ResourceView {
    ResourceType type = ResourceType::kCidr;
    ResourceId id;
    std::string name;
    /// Empty for the Internet resource.
    std::string address;
    std::optional<std::string> address_description;
    std::vector<portal_api::Site> sites;
    ResourceStatus status = ResourceStatus::kUnknown;

    friend bool operator==(const ResourceView&, const ResourceView&) = default;
};

}  // namespace culvert::tunnel
