#pragma once

#include <string_view>

/// The frames that spec/portal-protocol.md shows, as they stand there.
namespace culvert::portal_api::spec_examples {

// clang-format off
// Section 3.2
inline constexpr std::string_view kClientJoin = R"json({"topic":"client","event":"phx_join","payload":null,"ref":0})json";
inline constexpr std::string_view kJoinReply = R"json({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":0,"topic":"client"})json";
inline constexpr std::string_view kHeartbeat = R"json({"topic":"phoenix","event":"heartbeat","payload":{},"ref":7})json";
inline constexpr std::string_view kHeartbeatReply = R"json({"event":"phx_reply","payload":{"response":{},"status":"ok"},"ref":7,"topic":"phoenix"})json";
inline constexpr std::string_view kUnmatchedTopicReply = R"json({"event":"phx_reply","payload":{"response":{"reason":"unmatched topic"},"status":"error"},"ref":9,"topic":"client"})json";
inline constexpr std::string_view kPhxError = R"json({"event":"phx_error","payload":{},"ref":null,"topic":"client"})json";
inline constexpr std::string_view kPhxClose = R"json({"event":"phx_close","payload":{},"ref":null,"topic":"client"})json";
inline constexpr std::string_view kDisconnect = R"json({"event":"disconnect","payload":{"reason":"token_expired"},"ref":null,"topic":"relay"})json";

// Section 6.1
inline constexpr std::string_view kClientInit = R"json({"event":"init","ref":null,"topic":"client","payload":{
 "interface":{"ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1","search_domain":"corp.example",
  "upstream_dns":[{"protocol":"ip_port","address":"9.9.9.9:53"},{"protocol":"ip_port","address":"[2620:fe::fe]:53"}]},
 "resources":[
  {"id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","type":"dns","name":"Git","address":"**.git.corp.example",
   "address_description":"https://git.corp.example","ip_stack":"dual",
   "gateway_groups":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}],
   "filters":[{"protocol":"tcp","port_range_start":443,"port_range_end":443},{"protocol":"icmp"}]},
  {"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"Lab","address":"10.40.0.0/16",
   "address_description":null,"gateway_groups":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}],"filters":[]},
  {"id":"50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c","type":"internet","can_be_disabled":true,
   "gateway_groups":[{"id":"d0b3f7a1-6c52-4e98-a17d-2f8e5b9c4036","name":"Internet"}]}],
 "relays":[
  {"id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","type":"turn","addr":"203.0.113.20:3478","expires_at":1767225600,
   "username":"1767225600:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY","password":"v8ZaWNbx4G4mJawpGVwhu4/XSQOGrKfM/TjKkCnky8U"},
  {"id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","type":"turn","addr":"[2001:db8:20::1]:3478","expires_at":1767225600,
   "username":"1767225600:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY","password":"v8ZaWNbx4G4mJawpGVwhu4/XSQOGrKfM/TjKkCnky8U"}]}})json";
inline constexpr std::string_view kConfigChanged = R"json({"event":"config_changed","ref":null,"topic":"client","payload":{"interface":{"ipv4":"100.71.20.9",
 "ipv6":"fd00:2021:1111::7:a3c1","search_domain":null,"upstream_dns":[]}}})json";
inline constexpr std::string_view kResourceCreatedOrUpdated = R"json({"event":"resource_created_or_updated","ref":null,"topic":"client","payload":{"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58",
 "type":"cidr","name":"Lab","address":"10.41.0.0/16","address_description":null,"filters":[],
 "gateway_groups":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}]}})json";
inline constexpr std::string_view kResourceDeleted = R"json({"event":"resource_deleted","ref":null,"topic":"client","payload":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58"})json";
inline constexpr std::string_view kClientRelaysPresence = R"json({"event":"relays_presence","ref":null,"topic":"client","payload":{
 "disconnected_ids":["94d0b6f2-1a7c-4c53-8e19-6b3f0a2d5c77"],
 "connected":[{"id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","type":"turn","addr":"203.0.113.20:3478","expires_at":1767225600,
  "username":"1767225600:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY","password":"v8ZaWNbx4G4mJawpGVwhu4/XSQOGrKfM/TjKkCnky8U"}]}})json";
inline constexpr std::string_view kFlowCreated = R"json({"event":"flow_created","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46",
 "gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","gateway_group_id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01",
 "gateway_public_key":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=","gateway_ipv4":"100.80.3.44",
 "gateway_ipv6":"fd00:2021:1111::10:32c","preshared_key":"ZKimJ0kfpJ4a4bmLXaKo2OYiNCa+jQOMzPILLIZKc0I=",
 "client_ice_credentials":{"username":"m3nu","password":"ybiexazkc67lq5eowhvor4"},
 "gateway_ice_credentials":{"username":"nnqv","password":"2lvy7ropwcwwipikrn3tkq"}}})json";
inline constexpr std::string_view kFlowCreationFailed = R"json({"event":"flow_creation_failed","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46",
 "reason":"forbidden","violated_properties":["client_verified","remote_ip"]}})json";
inline constexpr std::string_view kFlowCreationFailedOffline = R"json({"event":"flow_creation_failed","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","reason":"offline"}})json";
inline constexpr std::string_view kGatewayIceCandidates = R"json({"event":"ice_candidates","ref":null,"topic":"client","payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35",
 "candidates":["candidate:7f00fe021c2a90b1 1 udp 16777215 203.0.113.20 53909 typ relay raddr 0.0.0.0 rport 0"]}})json";
inline constexpr std::string_view kInvalidateGatewayIceCandidates = R"json({"event":"invalidate_ice_candidates","ref":null,"topic":"client","payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35",
 "candidates":["candidate:7f00fe021c2a90b1 1 udp 16777215 203.0.113.20 53909 typ relay raddr 0.0.0.0 rport 0"]}})json";

// Section 6.2
inline constexpr std::string_view kCreateFlow = R"json({"topic":"client","event":"create_flow","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","connected_gateway_ids":["b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35"]},"ref":3})json";
inline constexpr std::string_view kBroadcastGatewayIceCandidates = R"json({"topic":"client","event":"broadcast_ice_candidates","payload":{"gateway_ids":["b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35"],"candidates":["candidate:a41d70c25e93bb06 1 udp 2130706175 192.168.7.20 52625 typ host"]},"ref":4})json";
inline constexpr std::string_view kBroadcastInvalidatedGatewayIceCandidates = R"json({"topic":"client","event":"broadcast_invalidated_ice_candidates","payload":{"gateway_ids":["b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35"],"candidates":["candidate:a41d70c25e93bb06 1 udp 2130706175 192.168.7.20 52625 typ host"]},"ref":5})json";
inline constexpr std::string_view kUnknownMessageReply = R"json({"event":"phx_reply","ref":6,"topic":"client","payload":{"status":"error","response":{"reason":"unknown_message"}}})json";

// Section 7.1
inline constexpr std::string_view kGatewayInit = R"json({"event":"init","ref":null,"topic":"gateway","payload":{"account_slug":"acme",
 "interface":{"ipv4":"100.80.3.44","ipv6":"fd00:2021:1111::10:32c"},
 "config":{"ipv4_masquerade_enabled":true,"ipv6_masquerade_enabled":true},
 "authorizations":[{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","expires_at":1767225600}],
 "relays":[{"id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","type":"turn","addr":"203.0.113.20:3478","expires_at":1775001600,
  "username":"1775001600:uRn9aO+q3ZLJ+WSCwUd6KAg+lKk/p+EL5iN8qCTCKgY","password":"2cQR0x3ooLUSaRks1mZ+h9bI1nHb3TQGMgov59QKBg4"}]}})json";
inline constexpr std::string_view kAuthorizeFlow = R"json({"event":"authorize_flow","ref":null,"topic":"gateway","payload":{
 "ref":"SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl",
 "resource":{"id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","type":"dns","name":"Git","address":"**.git.corp.example",
  "filters":[{"protocol":"tcp","port_range_start":443,"port_range_end":443},{"protocol":"icmp"}]},
 "client":{"id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","public_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "preshared_key":"ZKimJ0kfpJ4a4bmLXaKo2OYiNCa+jQOMzPILLIZKc0I=","ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1",
  "version":"1.5.5","device_os_name":"Ubuntu","device_os_version":"24.4.0","device_serial":"PF2XYZ",
  "device_uuid":"4C4C4544-0051-3010-8035-B7C04F4A4A32","identifier_for_vendor":null,"firebase_installation_id":null},
 "client_ice_credentials":{"username":"m3nu","password":"ybiexazkc67lq5eowhvor4"},
 "gateway_ice_credentials":{"username":"nnqv","password":"2lvy7ropwcwwipikrn3tkq"},
 "subject":{"identity_id":"a7f0c3e2-91d4-4b58-8c6a-0e2d5f7b9134","identity_name":"Kim Doe","actor_id":"1d5b8e40-7c2f-4a93-b6e1-9f0a3c8d2756","actor_email":"kim@corp.example"},
 "expires_at":1767225600}})json";
inline constexpr std::string_view kAccessAuthorizationExpiryUpdated = R"json({"event":"access_authorization_expiry_updated","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","expires_at":1767139200}})json";
inline constexpr std::string_view kRejectAccess = R"json({"event":"reject_access","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46"}})json";
inline constexpr std::string_view kResourceUpdated = R"json({"event":"resource_updated","ref":null,"topic":"gateway","payload":{"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"Lab","address":"10.40.0.0/16","filters":[{"protocol":"udp","port_range_start":5000,"port_range_end":5010},{"protocol":"tcp"}]}})json";
inline constexpr std::string_view kGatewayRelaysPresence = R"json({"event":"relays_presence","ref":null,"topic":"gateway","payload":{"disconnected_ids":[],"connected":[{"id":"c7e4a1d0-5b39-4e2f-9c86-0f2d71b3a845","type":"turn","addr":"203.0.113.20:3478","expires_at":1775001600,"username":"1775001600:uRn9aO+q3ZLJ+WSCwUd6KAg+lKk/p+EL5iN8qCTCKgY","password":"2cQR0x3ooLUSaRks1mZ+h9bI1nHb3TQGMgov59QKBg4"}]}})json";
inline constexpr std::string_view kClientIceCandidates = R"json({"event":"ice_candidates","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","candidates":["candidate:a41d70c25e93bb06 1 udp 2130706175 192.168.7.20 52625 typ host"]}})json";
inline constexpr std::string_view kInvalidateClientIceCandidates = R"json({"event":"invalidate_ice_candidates","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","candidates":["candidate:a41d70c25e93bb06 1 udp 2130706175 192.168.7.20 52625 typ host"]}})json";

// Section 7.2
inline constexpr std::string_view kFlowAuthorized = R"json({"topic":"gateway","event":"flow_authorized","payload":{"ref":"SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl"},"ref":12})json";
inline constexpr std::string_view kBroadcastClientIceCandidates = R"json({"topic":"gateway","event":"broadcast_ice_candidates","payload":{"client_ids":["3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10"],"candidates":["candidate:7f00fe021c2a90b1 1 udp 16777215 203.0.113.20 53909 typ relay raddr 0.0.0.0 rport 0"]},"ref":13})json";
inline constexpr std::string_view kBroadcastInvalidatedClientIceCandidates = R"json({"topic":"gateway","event":"broadcast_invalidated_ice_candidates","payload":{"client_ids":["3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10"],"candidates":["candidate:7f00fe021c2a90b1 1 udp 16777215 203.0.113.20 53909 typ relay raddr 0.0.0.0 rport 0"]},"ref":14})json";
inline constexpr std::string_view kConnectionReady = R"json({"topic":"gateway","event":"connection_ready","payload":{"ref":"SFMyNTY.b3BhcXVl.c2ln","gateway_payload":{"ConnectionAccepted":{"ice_parameters":{"username":"qX2c","password":"8sV0kqXb6Yp3uQ1rTn7wZe"}}}},"ref":15})json";
inline constexpr std::string_view kGatewayOkReply = R"json({"event":"phx_reply","ref":12,"topic":"gateway","payload":{"status":"ok","response":{}}})json";

// Section 8
inline constexpr std::string_view kRelayJoin = R"json({"topic":"relay","event":"phx_join","payload":{"stamp_secret":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},"ref":0})json";
inline constexpr std::string_view kRelayOkReply = R"json({"event":"phx_reply","payload":{"status":"ok","response":{}},"ref":0,"topic":"relay"})json";
inline constexpr std::string_view kRelayInit = R"json({"event":"init","payload":{},"ref":null,"topic":"relay"})json";

// clang-format on

}  // namespace culvert::portal_api::spec_examples
