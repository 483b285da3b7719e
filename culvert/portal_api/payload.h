#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "culvert/portal_api/dialect.h"
#include "culvert/portal_api/frame.h"
#include "culvert/portal_api/json_reader.h"

/// Payloads of application messages from and to JSON values. Private to portal_api: include it in .cpp files only.
namespace culvert::portal_api {

/// What is left of a payload: a message, or nothing worth delivering, or (see `Problem`) an error.
template <typename Message>
using Decoded = std::optional<Message>;

/// The decoders: `event` selects the message; an unknown one is reported as a problem. Problems are reported at
/// `place`.
[[nodiscard]] Decoded<ToClient> decode_client_payload(Dialect dialect, std::string_view event,
                                                      const json::value& payload, const Place& place, Problem& problem);
[[nodiscard]] Decoded<ToGateway> decode_gateway_payload(Dialect dialect, std::string_view event,
                                                        const json::value& payload, const Place& place,
                                                        Problem& problem);
[[nodiscard]] Decoded<ToRelay> decode_relay_payload(std::string_view event, const json::value& payload,
                                                    const Place& place, Problem& problem);
[[nodiscard]] Decoded<FromClient> decode_from_client_payload(Dialect dialect, std::string_view event,
                                                             const json::value& payload, const Place& place,
                                                             Problem& problem);
[[nodiscard]] Decoded<FromGateway> decode_from_gateway_payload(Dialect dialect, std::string_view event,
                                                               const json::value& payload, const Place& place,
                                                               Problem& problem);

/// An event and its payload, ready to be put into a frame.
struct EncodedMessage {
    std::string_view event;
    json::value payload;
};
[[nodiscard]] EncodedMessage encode_payload(const ToClient& message, Dialect dialect);
[[nodiscard]] EncodedMessage encode_payload(const ToGateway& message, Dialect dialect);
[[nodiscard]] EncodedMessage encode_payload(const ToRelay& message, Dialect dialect);
[[nodiscard]] EncodedMessage encode_payload(const FromClient& message, Dialect dialect);
[[nodiscard]] EncodedMessage encode_payload(const FromGateway& message, Dialect dialect);

// --- Pieces that several messages share (5.3, 5.4, 5.6) ---

[[nodiscard]] Interface read_interface(const ObjectReader& reader);
/// nullopt if it is absent.
[[nodiscard]] std::optional<FlowLogSettings> read_flow_log_settings(const ObjectReader& message);
[[nodiscard]] std::vector<Relay> read_relays(const ObjectReader& reader, std::string_view key, bool may_be_absent);
[[nodiscard]] RelaysPresence read_relays_presence(const ObjectReader& reader);
[[nodiscard]] IceCredentials read_ice_credentials(const ObjectReader& reader);
/// nullopt (and a problem) for an unknown protocol.
[[nodiscard]] std::optional<Filter> read_filter(const json::value& value, const Place& place, Problem& problem);

/// What remains authorized; may be absent.
[[nodiscard]] std::vector<Authorization> read_authorizations(const ObjectReader& message);
[[nodiscard]] json::array to_json(const std::vector<Authorization>& authorizations);

/// Member by member, if they are to be sent.
void add_flow_log_settings(json::object& message, const std::optional<FlowLogSettings>& settings);
void add_ingest_token(json::object& message, const std::optional<std::string>& token);

[[nodiscard]] json::array to_json(const std::vector<Relay>& relays);
[[nodiscard]] json::array to_json(const std::vector<Filter>& filters);
[[nodiscard]] json::value to_json(const IceCredentials& credentials);
[[nodiscard]] json::value to_json(const RelaysPresence& message);
[[nodiscard]] json::value to_json(const std::optional<std::string>& text);
[[nodiscard]] json::array to_json(const std::vector<std::string>& texts);
[[nodiscard]] std::int64_t to_json(UnixSeconds time);
[[nodiscard]] std::string to_json(const crypto::PresharedKey& key);

template <typename Tag>
[[nodiscard]] json::array to_json(const std::vector<Id<Tag>>& ids) {
    json::array array;
    array.reserve(ids.size());
    for (const auto& id : ids) {
        array.emplace_back(id.to_string());
    }
    return array;
}

}  // namespace culvert::portal_api
