#pragma once

#include <optional>

#include "culvert/portal_api/payload.h"

/// Messages about devices that clients reach without a gateway (spec/newer-dialect.md section 12). Private to
/// portal_api: include it in .cpp files only.
namespace culvert::portal_api {

/// Whether a resource is a pool, and not one of a gateway.
[[nodiscard]] bool is_device_pool(const json::value& resource);
/// nullopt if it is malformed, which is in the log.
[[nodiscard]] std::optional<DevicePool> read_device_pool(const json::value& resource, const Place& place);
[[nodiscard]] json::value to_json(const DevicePool& pool);

/// nullopt: the event is none of these.
[[nodiscard]] std::optional<ToClient> read_device_message(std::string_view event, const ObjectReader& reader);
[[nodiscard]] EncodedMessage encode_device_message(const DeviceAccessAuthorized& message);
[[nodiscard]] EncodedMessage encode_device_message(const DeviceAccessDenied& message);
[[nodiscard]] EncodedMessage encode_device_message(const ClientIceCandidates& message);
[[nodiscard]] EncodedMessage encode_device_message(const InvalidateClientIceCandidates& message);
[[nodiscard]] EncodedMessage encode_device_message(const ClientIceCandidateError& message);
[[nodiscard]] EncodedMessage encode_device_message(const RejectAccess& message);
[[nodiscard]] EncodedMessage encode_device_message(const ResourceFiltersUpdated& message);

}  // namespace culvert::portal_api
