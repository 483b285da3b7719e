#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "culvert/base/rng.h"
#include "culvert/portal_api/frame.h"
#include "culvert/portal_api/role.h"

/// For tests.
namespace culvert::portal_api {

/// Makes any message that there is, with any content that it may have.
class RandomMessages {
public:
    explicit RandomMessages(std::uint64_t seed) : rng_{Rng::from_number(seed)} {}

    ToDevice to_device(Role role) {
        switch (role) {
            case Role::kClient:
                return to_client();
            case Role::kGateway:
                return to_gateway();
            case Role::kRelay:
                break;
        }
        return to_relay();
    }

    FromDevice from_device(Role role) {
        return role == Role::kClient ? FromDevice{from_client()} : FromDevice{from_gateway()};
    }

private:
    template <typename T>
    T one_of(std::initializer_list<T> values) {
        return *(values.begin() + rng_.below(values.size()));
    }
    template <typename Make>
    auto maybe(const Make& make) {
        return flag() ? std::optional{make()} : std::nullopt;
    }
    template <typename Make>
    auto list(const Make& make) {
        std::vector<decltype(make())> made;
        for (auto left = rng_.below(4); left > 0; --left) {
            made.push_back(make());
        }
        return made;
    }

    ToClient to_client() {
        switch (rng_.below(std::variant_size_v<ToClient>)) {
            case 0:
                return ClientInit{
                    .interface = interface(true),
                    .resources = list([&] { return client_resource(); }),
                    .relays = list([&] { return relay(); }),
                    .flow_logs = maybe([&] { return flow_logs(); }),
                    .device_pools = list([&] { return device_pool(); }),
                    .authorizations = list([&] { return Authorization{id<ClientId>(), id<ResourceId>(), time()}; })};
            case 1:
                return ConfigChanged{interface(true)};
            case 2:
                return ResourceCreatedOrUpdated{client_resource()};
            case 3:
                return ResourceDeleted{id<ResourceId>()};
            case 4:
                return relays_presence();
            case 5:
                return FlowCreated{.resource_id = id<ResourceId>(),
                                   .gateway_id = id<GatewayId>(),
                                   .gateway_public_key = crypto::PublicKey{rng_.array<32>()},
                                   .gateway_ipv4 = v4(),
                                   .gateway_ipv6 = v6(),
                                   .site_id = id<SiteId>(),
                                   .preshared_key = crypto::PresharedKey{rng_.array<32>()},
                                   .client_ice_credentials = {text(), text()},
                                   .gateway_ice_credentials = {text(), text()},
                                   .flow_logs_ingest_token = maybe([&] { return text(); })};
            case 6:
                return FlowCreationFailed{
                    .resource_id = id<ResourceId>(),
                    .reason = one_of({FlowFailure::kNotFound, FlowFailure::kOffline, FlowFailure::kForbidden,
                                      FlowFailure::kVersionMismatch, FlowFailure::kUnknown}),
                    .violated_properties = list([&] { return text(); })};
            case 7:
                return GatewayIceCandidates{id<GatewayId>(), list([&] { return text(); })};
            case 8:
                return InvalidateGatewayIceCandidates{id<GatewayId>(), list([&] { return text(); })};
            case 9:
                return DevicePoolCreatedOrUpdated{device_pool()};
            case 10:
                return device_access_authorized();
            case 11:
                return DeviceAccessDenied{
                    .ipv4 = maybe([&] { return v4(); }),
                    .ipv6 = maybe([&] { return v6(); }),
                    .reason = one_of({DeviceAccessRefusal::kForbidden, DeviceAccessRefusal::kOffline,
                                      DeviceAccessRefusal::kVersionMismatch, DeviceAccessRefusal::kAmbiguousAddress,
                                      DeviceAccessRefusal::kMissingAddress, DeviceAccessRefusal::kInvalidAddress,
                                      DeviceAccessRefusal::kUnknown})};
            case 12:
                return ClientIceCandidates{id<ClientId>(), list([&] { return text(); })};
            case 13:
                return InvalidateClientIceCandidates{id<ClientId>(), list([&] { return text(); })};
            case 14:
                return ClientIceCandidateError{id<ClientId>(), text()};
            case 15:
                return RejectAccess{id<ClientId>(), id<ResourceId>()};
            default:
                return ResourceFiltersUpdated{pool_grant()};
        }
    }

    PoolGrant pool_grant() {
        return {id<ResourceId>(), list([&] { return filter(); })};
    }

    DevicePool device_pool() {
        return {.id = id<ResourceId>(),
                .name = text(),
                .filters = list([&] { return filter(); }),
                .devices = list([&] { return PoolDevice{id<ClientId>(), v4(), v6()}; })};
    }

    DeviceAccessAuthorized device_access_authorized() {
        DeviceAccessAuthorized made{.client_id = id<ClientId>(),
                                    .client_name = text(),
                                    .client_public_key = crypto::PublicKey{rng_.array<32>()},
                                    .client_ipv4 = v4(),
                                    .client_ipv6 = v6(),
                                    .preshared_key = crypto::PresharedKey{rng_.array<32>()},
                                    .ice_role = one_of({IceRole::kControlling, IceRole::kControlled}),
                                    .local_ice_credentials = {text(), text()},
                                    .remote_ice_credentials = {text(), text()},
                                    .flow_logs_ingest_token = maybe([&] { return text(); })};
        if (flag()) {
            made.resource = pool_grant();
            made.expires_at = maybe([&] { return time(); });
        }
        return made;
    }

    ToGateway to_gateway() {
        switch (rng_.below(std::variant_size_v<ToGateway>)) {
            case 0:
                return GatewayInit{
                    .interface = interface(false),
                    .ipv4_masquerade_enabled = flag(),
                    .ipv6_masquerade_enabled = flag(),
                    .relays = list([&] { return relay(); }),
                    .account_slug = maybe([&] { return text(); }),
                    .authorizations = list([&] { return Authorization{id<ClientId>(), id<ResourceId>(), time()}; }),
                    .flow_logs = maybe([&] { return flow_logs(); })};
            case 1:
                return authorize_flow();
            case 2:
                return AccessAuthorizationExpiryUpdated{id<ClientId>(), id<ResourceId>(), time()};
            case 3:
                return RejectAccess{id<ClientId>(), id<ResourceId>()};
            case 4:
                return ResourceUpdated{gateway_resource()};
            case 5:
                return relays_presence();
            case 6:
                return ClientIceCandidates{id<ClientId>(), list([&] { return text(); })};
            default:
                return InvalidateClientIceCandidates{id<ClientId>(), list([&] { return text(); })};
        }
    }

    ToRelay to_relay() {
        switch (rng_.below(std::variant_size_v<ToRelay>)) {
            case 0:
                return RelayInit{};
            default:
                return TurnUsers{list([&] { return TurnUserRule{text(), time()}; }),
                                 list([&] { return TurnUserRule{text(), time()}; })};
        }
    }

    FromClient from_client() {
        switch (rng_.below(std::variant_size_v<FromClient>)) {
            case 0:
                return CreateFlow{id<ResourceId>(), list([&] { return id<GatewayId>(); }),
                                  maybe([&] { return text(); }), maybe([&] { return text(); })};
            case 1:
                return BroadcastGatewayIceCandidates{list([&] { return id<GatewayId>(); }),
                                                     list([&] { return text(); })};
            case 2:
                return BroadcastInvalidatedGatewayIceCandidates{list([&] { return id<GatewayId>(); }),
                                                                list([&] { return text(); })};
            case 3:
                return NoRelays{};
            case 4:
                return BroadcastClientIceCandidates{{id<ClientId>()}, list([&] { return text(); })};
            case 5:
                return BroadcastInvalidatedClientIceCandidates{{id<ClientId>()}, list([&] { return text(); })};
            default:
                return SnownetCapabilities{flag()};
        }
    }

    FromGateway from_gateway() {
        switch (rng_.below(std::variant_size_v<FromGateway>)) {
            case 0:
                return FlowAuthorized{text()};
            case 1:
                return BroadcastClientIceCandidates{list([&] { return id<ClientId>(); }), list([&] { return text(); })};
            case 2:
                return BroadcastInvalidatedClientIceCandidates{list([&] { return id<ClientId>(); }),
                                                               list([&] { return text(); })};
            case 3:
                return NoRelays{};
            default:
                return SnownetCapabilities{flag()};
        }
    }

    AuthorizeFlow authorize_flow() {
        const auto word = [&] { return maybe([&] { return text(); }); };
        return {.ref = text(),
                .resource = gateway_resource(),
                .client = {.id = id<ClientId>(),
                           .public_key = crypto::PublicKey{rng_.array<32>()},
                           .preshared_key = crypto::PresharedKey{rng_.array<32>()},
                           .ipv4 = v4(),
                           .ipv6 = v6(),
                           .version = word(),
                           .device_os_name = word(),
                           .device_os_version = word(),
                           .device_serial = word(),
                           .device_uuid = word(),
                           .identifier_for_vendor = word(),
                           .firebase_installation_id = word()},
                .client_ice_credentials = {text(), text()},
                .gateway_ice_credentials = {text(), text()},
                .subject = {word(), word(), word(), word()},
                .expires_at = maybe([&] { return time(); }),
                .flow_logs_ingest_token = word()};
    }

    Interface interface(bool with_resolvers) {
        Interface made{.ipv4 = v4(), .ipv6 = v6()};
        if (with_resolvers) {
            made.upstream_dns = list([&] { return UpstreamDns{socket_address()}; });
            made.upstream_do53 = list([&] { return address(); });
            made.upstream_doh = list([&] { return "https://dns.example/" + std::to_string(rng_.below(100)); });
            made.search_domain = maybe([] { return std::string{"corp.example"}; });
        }
        return made;
    }

    FlowLogSettings flow_logs() { return {text(), rng_.next_u32(), rng_.next_u32()}; }

    ClientResource client_resource() {
        const auto sites = list([&] { return Site{id<SiteId>(), text()}; });
        switch (rng_.below(3)) {
            case 0:
                return ClientDnsResource{id<ResourceId>(),
                                         text(),
                                         text(),
                                         maybe([&] { return text(); }),
                                         sites,
                                         one_of({IpStack::kDual, IpStack::kIpv4Only, IpStack::kIpv6Only}),
                                         list([&] { return filter(); })};
            case 1:
                return ClientCidrResource{id<ResourceId>(),
                                          text(),
                                          network(),
                                          maybe([&] { return text(); }),
                                          sites,
                                          list([&] { return filter(); })};
            default:
                return ClientInternetResource{.id = id<ResourceId>(), .sites = sites};
        }
    }

    GatewayResource gateway_resource() {
        switch (rng_.below(3)) {
            case 0:
                return GatewayDnsResource{id<ResourceId>(), text(), text(), list([&] { return filter(); })};
            case 1:
                return GatewayCidrResource{id<ResourceId>(), text(), network(), list([&] { return filter(); })};
            default:
                return GatewayInternetResource{id<ResourceId>()};
        }
    }

    Filter filter() {
        const auto protocol = one_of({FilterProtocol::kTcp, FilterProtocol::kUdp, FilterProtocol::kIcmp});
        return protocol == FilterProtocol::kIcmp ? Filter{protocol} : Filter{protocol, port(), port()};
    }

    RelaysPresence relays_presence() {
        return {list([&] { return id<RelayId>(); }), list([&] { return relay(); })};
    }

    Relay relay() { return {id<RelayId>(), socket_address(), text(), text(), time()}; }

    template <typename IdType>
    IdType id() {
        return IdType::random(rng_);
    }
    bool flag() { return rng_.below(2) == 0; }
    std::uint16_t port() { return static_cast<std::uint16_t>(rng_.below(65536)); }
    UnixSeconds time() { return UnixSeconds{std::chrono::seconds{rng_.below(4'000'000'000)}}; }
    net::IpAddress v4() { return net::IpAddress::from_bytes(rng_.array<4>()); }
    net::IpAddress v6() { return net::IpAddress::from_bytes(rng_.array<16>()); }
    net::IpAddress address() { return flag() ? v4() : v6(); }
    net::SocketAddress socket_address() { return {address(), port()}; }
    net::IpNetwork network() {
        const auto made = address();
        return {made, static_cast<unsigned>(rng_.below(made.bit_length() + 1))};
    }
    /// With what JSON has to escape.
    std::string text() {
        static constexpr std::string_view kCharacters = "ab 1\"\\/\n{}[],:";
        std::string made;
        for (auto left = rng_.below(12); left > 0; --left) {
            made += kCharacters[rng_.below(kCharacters.size())];
        }
        return made;
    }
    Rng rng_;
};

}  // namespace culvert::portal_api
