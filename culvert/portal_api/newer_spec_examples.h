#pragma once

#include <string_view>

/// The frames that spec/newer-dialect.md shows, as they stand there. Those of device pools are not among them.
namespace culvert::portal_api::newer_spec_examples {

// clang-format off
// Section 4
inline constexpr std::string_view kClientJoin = R"json({"topic":"client","event":"phx_join","payload":null,"ref":0})json";
inline constexpr std::string_view kCapabilities = R"json({"topic":"client","event":"set_snownet_capabilities","payload":{"iceless":true},"ref":1})json";
inline constexpr std::string_view kHeartbeat = R"json({"topic":"phoenix","event":"heartbeat","payload":{},"ref":2})json";
inline constexpr std::string_view kRelayJoin = R"json({"topic":"relay","event":"phx_join","payload":{"stamp_secret":"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"},"ref":0})json";
inline constexpr std::string_view kJoinReply = R"json({"event":"phx_reply","topic":"client","ref":0,"payload":{"status":"ok","response":{}}})json";
inline constexpr std::string_view kHeartbeatReply = R"json({"event":"phx_reply","topic":"phoenix","ref":2,"payload":{"status":"ok","response":{}}})json";
inline constexpr std::string_view kUnmatchedTopicReply = R"json({"event":"phx_reply","topic":"client","ref":7,"payload":{"status":"error","response":{"reason":"unmatched topic"}}})json";
inline constexpr std::string_view kDisconnect = R"json({"event":"disconnect","topic":"client","ref":null,"payload":{"reason":"token_expired"}})json";
inline constexpr std::string_view kPhxClose = R"json({"event":"phx_close","topic":"client","ref":null,"payload":{}})json";

// Section 5
inline constexpr std::string_view kClientInit = R"json({"event":"init","ref":null,"topic":"client","payload":{
 "interface":{"ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1","search_domain":"corp.example",
  "upstream_do53":[{"ip":"9.9.9.9"},{"ip":"2620:fe::fe"}],"upstream_doh":[],
  "upstream_dns":[{"protocol":"ip_port","address":"9.9.9.9:53"},{"protocol":"ip_port","address":"[2620:fe::fe]:53"}]},
 "flow_logs":{"api_url":"https://logs.example/","upload_interval_secs":0,"upload_batch_size":0},
 "resources":[
  {"id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","type":"dns","name":"Git","address":"**.git.corp.example",
   "address_description":null,"ip_stack":"dual","sites":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}],
   "filters":[{"protocol":"tcp","port_range_start":443,"port_range_end":443},{"protocol":"icmp"}]},
  {"id":"50e7c2d9-3a18-4f6b-8d02-b9f4e1a7630c","type":"internet","can_be_disabled":true,
   "sites":[{"id":"d0b3f7a1-6c52-4e98-a17d-2f8e5b9c4036","name":"Internet"}]},
  {"id":"e6b0d1c4-7a92-4f35-8c1e-3d5f9a2b7046","type":"static_device_pool","name":"Build hosts","filters":[],
   "devices":[{"client_id":"a2c4e6f8-1b3d-4f50-9a7c-8e0d2b4f6a91","ipv4":"100.71.20.31/32","ipv6":"fd00:2021:1111::9:11f/128"}]}],
 "authorizations":[],
 "relays":[{"id":"2a8abfa8-cb99-4629-8437-854193ca6bca","type":"turn","addr":"203.0.113.20:3478","expires_at":1788220800,
  "username":"1788220800:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY","password":"DyDw8nQXUOxbvRB0okcKtgA9uOfBbLoW8ejxeIWsYeg"}]}})json";
inline constexpr std::string_view kGatewayInit = R"json({"event":"init","ref":null,"topic":"gateway","payload":{"account_slug":"acme",
 "interface":{"ipv4":"100.80.3.44","ipv6":"fd00:2021:1111::10:32c"},
 "config":{"ipv4_masquerade_enabled":true,"ipv6_masquerade_enabled":true},
 "flow_logs":{"api_url":"https://logs.example/","upload_interval_secs":0,"upload_batch_size":0},
 "authorizations":[{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","expires_at":1788220800}],
 "relays":[{"id":"2a8abfa8-cb99-4629-8437-854193ca6bca","type":"turn","addr":"203.0.113.20:3478","expires_at":2145916800,
  "username":"2145916800:uRn9aO+q3ZLJ+WSCwUd6KAg+lKk/p+EL5iN8qCTCKgY","password":"GMhDvAv7rikzWwmBA960UDwexWcokZ4nonXaG7N8iQQ"}]}})json";
inline constexpr std::string_view kConfigChanged = R"json({"event":"config_changed","ref":null,"topic":"client","payload":{"interface":{"ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1",
 "search_domain":null,"upstream_do53":[],"upstream_doh":[{"url":"https://dns.quad9.net/dns-query"}],"upstream_dns":[]}}})json";

// Section 6
inline constexpr std::string_view kRequestAuthorization = R"json({"topic":"client","event":"request_authorization","ref":5,"payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46",
 "connected_gateway_ids":["b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35"]}})json";
inline constexpr std::string_view kCreateAuthorization = R"json({"event":"create_authorization","ref":null,"topic":"gateway","payload":{
 "ref":"SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl",
 "resource":{"id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","type":"dns","name":"Git","address":"**.git.corp.example",
  "filters":[{"protocol":"tcp","port_range_start":443,"port_range_end":443},{"protocol":"icmp"}]},
 "client":{"id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","public_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
  "preshared_key":"ZKimJ0kfpJ4a4bmLXaKo2OYiNCa+jQOMzPILLIZKc0I=","ipv4":"100.71.20.9","ipv6":"fd00:2021:1111::7:a3c1"},
 "client_ice_credentials":{"username":"m3nu","password":"ybiexazkc67lq5eowhvor4"},
 "gateway_ice_credentials":{"username":"nnqv","password":"2lvy7ropwcwwipikrn3tkq"},
 "expires_at":1788220800,"use_iceless":false,"flow_logs_ingest_token":"eyJhbGciOiJIUzI1NiJ9.eyJhY2NvdW50X2lkIjoi….c2ln"}})json";
inline constexpr std::string_view kAuthorizationCreatedByGateway = R"json({"topic":"gateway","event":"authorization_created","ref":9,"payload":{"ref":"SFMyNTY.g2gDbQAAAB5leGFtcGxlLW9wYXF1ZS1yZWZlcmVuY2Ut.c2lnbmF0dXJl"}})json";
inline constexpr std::string_view kGatewayOkReply = R"json({"event":"phx_reply","topic":"gateway","ref":9,"payload":{"status":"ok","response":{}}})json";
inline constexpr std::string_view kInvalidRefReply = R"json({"event":"phx_reply","topic":"gateway","ref":9,"payload":{"status":"error","response":{"reason":"invalid_ref"}}})json";
inline constexpr std::string_view kAuthorizationCreatedForClient = R"json({"event":"authorization_created","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46",
 "gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","site_id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01",
 "gateway_public_key":"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=","gateway_ipv4":"100.80.3.44",
 "gateway_ipv6":"fd00:2021:1111::10:32c","preshared_key":"ZKimJ0kfpJ4a4bmLXaKo2OYiNCa+jQOMzPILLIZKc0I=",
 "client_ice_credentials":{"username":"m3nu","password":"ybiexazkc67lq5eowhvor4"},
 "gateway_ice_credentials":{"username":"nnqv","password":"2lvy7ropwcwwipikrn3tkq"},
 "use_iceless":false,"flow_logs_ingest_token":"eyJhbGciOiJIUzI1NiJ9.eyJhY2NvdW50X2lkIjoi….c2ln"}})json";
inline constexpr std::string_view kAuthorizationCreationFailed = R"json({"event":"authorization_creation_failed","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46",
 "reason":"forbidden","violated_properties":["client_verified","remote_ip"]}})json";
inline constexpr std::string_view kAuthorizationCreationFailedVersionMismatch = R"json({"event":"authorization_creation_failed","ref":null,"topic":"client","payload":{"resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46","reason":"version_mismatch"}})json";

// Section 7
inline constexpr std::string_view kNewGatewayIceCandidates = R"json({"topic":"client","event":"new_gateway_ice_candidates","ref":6,"payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","candidates":["candidate:fffeff7ee573eb1bf26c6086 1 udp 2130706175 10.99.0.2 52625 typ host ufrag vf5y"]}})json";
inline constexpr std::string_view kInvalidatedGatewayIceCandidates = R"json({"topic":"client","event":"invalidate_gateway_ice_candidates","ref":7,"payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","candidates":["candidate:fffe3f02f287d1bb1f34d00e 1 udp 37748479 10.99.0.1 61743 typ relay raddr 0.0.0.0 rport 0 ufrag vf5y"]}})json";
inline constexpr std::string_view kBroadcastClientIceCandidates = R"json({"topic":"gateway","event":"broadcast_ice_candidates","ref":10,"payload":{"client_ids":["3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10"],"candidates":["candidate:fffe3f02f287d1bb1f34d00e 1 udp 37748479 10.99.0.1 61743 typ relay raddr 0.0.0.0 rport 0 ufrag vf5y"]}})json";
inline constexpr std::string_view kBroadcastInvalidatedClientIceCandidates = R"json({"topic":"gateway","event":"broadcast_invalidated_ice_candidates","ref":11,"payload":{"client_ids":["3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10"],"candidates":[]}})json";
inline constexpr std::string_view kGatewayIceCandidates = R"json({"event":"ice_candidates","ref":null,"topic":"client","payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","candidates":["candidate:fffe3f02f287d1bb1f34d00e 1 udp 37748479 10.99.0.1 61743 typ relay raddr 0.0.0.0 rport 0 ufrag vf5y"]}})json";
inline constexpr std::string_view kInvalidateGatewayIceCandidates = R"json({"event":"invalidate_gateway_ice_candidates","ref":null,"topic":"client","payload":{"gateway_id":"b51d7c3a-2e84-4f0b-8a6e-91c4d2f70e35","candidates":[]}})json";
inline constexpr std::string_view kClientIceCandidates = R"json({"event":"ice_candidates","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","candidates":["candidate:fffeff7ee573eb1bf26c6086 1 udp 2130706175 10.99.0.2 52625 typ host ufrag vf5y"]}})json";
inline constexpr std::string_view kNoRelays = R"json({"topic":"client","event":"no_relays","ref":12,"payload":{}})json";
inline constexpr std::string_view kRelaysPresence = R"json({"event":"relays_presence","ref":null,"topic":"client","payload":{"disconnected_ids":[],"connected":[{"id":"2a8abfa8-cb99-4629-8437-854193ca6bca","type":"turn","addr":"203.0.113.20:3478","expires_at":1788220800,"username":"1788220800:kF8o3vGOqsBa5vErLDRSdEr69ibaE0PVezlbVE4FGbY","password":"DyDw8nQXUOxbvRB0okcKtgA9uOfBbLoW8ejxeIWsYeg"}]}})json";

// Section 8
inline constexpr std::string_view kRejectAccess = R"json({"event":"reject_access","ref":null,"topic":"gateway","payload":{"client_id":"3f9f2b1e-6c0d-4a55-9d1c-0b8a7f4e2d10","resource_id":"2c8b9f10-4d3e-4a6b-9f21-7e5a0c1d3b46"}})json";
inline constexpr std::string_view kResourceUpdated = R"json({"event":"resource_updated","ref":null,"topic":"gateway","payload":{"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"Lab","address":"10.40.0.0/16","filters":[{"protocol":"tcp"}]}})json";
inline constexpr std::string_view kResourceCreatedOrUpdated = R"json({"event":"resource_created_or_updated","ref":null,"topic":"client","payload":{"id":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58","type":"cidr","name":"Lab","address":"10.40.0.0/16","address_description":null,"sites":[{"id":"6a1d2f44-8f0e-4b7a-b3f6-5d20c9e17a01","name":"fra-1"}],"filters":[{"protocol":"tcp"}]}})json";
inline constexpr std::string_view kResourceDeleted = R"json({"event":"resource_deleted","ref":null,"topic":"client","payload":"8f31d5a7-0b62-4d9c-a1e4-c3b7096f2e58"})json";

// clang-format on

}  // namespace culvert::portal_api::newer_spec_examples
