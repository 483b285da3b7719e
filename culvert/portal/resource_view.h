#pragma once

#include <optional>
#include <string>

#include "culvert/portal/directory.h"
#include "culvert/portal/version.h"

/// Resources as devices see them. Source: spec/portal-protocol.md sections 5.5, 5.6 and 9.5.
namespace culvert::portal {

/// nullopt: a client of this version cannot be given the resource.
[[nodiscard]] std::optional<portal_api::ClientResource> to_client(const Resource& resource, const Directory& directory,
                                                                  const Version& version);

/// nullopt: a gateway of this version cannot serve the resource.
[[nodiscard]] std::optional<portal_api::GatewayResource> to_gateway(const Resource& resource, const Version& version);

/// The same for all kinds of device: clients and gateways have to agree.
[[nodiscard]] std::vector<portal_api::Filter> wire_filters(const Resource& resource);

/// A DNS pattern in the syntax that a device of this version knows; nullopt if that syntax cannot express it.
[[nodiscard]] std::optional<std::string> adapt_dns_pattern(const std::string& pattern, const Version& version);

}  // namespace culvert::portal
