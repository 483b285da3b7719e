#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apps/portal/storage_text.h"
#include "culvert/portal/memory_storage.h"

namespace culvert::portal {

/// Rows of each kind. Few, so that steps meet what others left.
inline constexpr std::size_t kRows = 4;
inline constexpr UnixSeconds kStart{std::chrono::seconds{1'700'000'000}};

/// One operation on one storage; the result is what its caller sees. Run on each of the two.
using Operation = std::function<std::string(Storage&)>;

struct Step {
    std::string name;
    Operation operation;
};

/// Thrown by transactions that are to leave nothing behind.
struct Undo {};

template <typename Id>
std::vector<Id> make_ids(Rng rng) {
    std::vector<Id> ids;
    std::generate_n(std::back_inserter(ids), kRows, [&] { return Id::random(rng); });
    std::ranges::sort(ids);
    return ids;
}

/// Random operations on a storage, the same ones for each seed.
class History {
public:
    explicit History(std::uint64_t seed) : seed_{Rng::from_number(seed)}, rng_{seed_.child("steps")} {
        auto rng = storage_rng();
        account_ = MemoryStorage{rng}.load_directory().account.id;
    }

    /// What to make both storages with, so that they have the same account.
    [[nodiscard]] Rng storage_rng() const { return seed_.child("storage"); }

    Step next() {
        now_ += std::chrono::seconds{rng_.below(5)};
        return rng_.below(12) == 0 ? transaction() : single();
    }

    /// Everything that can be asked.
    [[nodiscard]] std::string observe(Storage& storage) const {
        const auto directory = storage.load_directory();
        auto text = text_of(directory.account);
        const auto add = [&](const auto& rows) {
            for (const auto& [id, row] : rows) {
                text += text_of(row);
            }
        };
        add(directory.sites);
        add(directory.actors);
        add(directory.groups);
        add(directory.memberships);
        add(directory.resources);
        add(directory.policies);
        for (const auto& [member, client] : directory.pool_clients) {
            text += line("pool client", member, client.id, client.ipv4, client.ipv6);
        }
        for (const auto& id : tokens_) {
            text += text_of(storage.find_token(id)) + '\n';
        }
        for (const auto& id : clients_) {
            text += text_of(storage.find_client(id)) + '\n';
            text += line("device", storage.find_device_flows(id));
        }
        for (const auto& id : gateways_) {
            text += line("gateway", storage.has_gateway(id), storage.find_flows(id));
        }
        for (const auto& user : storage.revoked_turn_users(UnixSeconds{})) {
            text += line("revoked", user.salt, user.until);
        }
        for (const auto& id : relays_) {
            text += line("relay", storage.has_relay(id));
        }
        return text;
    }

private:
    template <typename T>
    T pick(const std::vector<T>& values) {
        return values.at(rng_.below(values.size()));
    }
    bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }
    std::string text() {
        return pick<std::string>({"", "a", "laptop", "it's \"quoted\"; --", "näme", std::string{"nul\0inside", 10}});
    }
    std::optional<std::string> maybe_text() { return one_in(3) ? std::nullopt : std::optional{text()}; }
    crypto::PublicKey key() { return {Rng::from_number(rng_.below(16 * kRows)).array<32>()}; }
    net::IpAddress address() {
        return *net::IpAddress::parse(pick<std::string_view>({"203.0.113.7", "2001:db8::9", "0.0.0.0", "::"}));
    }
    LastSeen seen() { return {text(), text(), address(), now_}; }
    UnixSeconds soon() { return now_ + std::chrono::seconds{rng_.below(400)}; }

    template <typename Row>
    Step put(Row row) {
        return {"put " + text_of(row), [row](Storage& storage) {
                    storage.put(row);
                    return std::string{};
                }};
    }
    template <typename Id>
    Step erase(std::string_view kind, Id id) {
        return {line("erase " + std::string{kind}, id), [id](Storage& storage) {
                    storage.erase(id);
                    return std::string{};
                }};
    }

    Step put_account() {
        Account row{account_, text(), text(), maybe_text(), {}, {}};
        for (auto count = rng_.below(3); count > 0; --count) {
            row.upstream_dns.push_back({address(), static_cast<std::uint16_t>(rng_.below(65536))});
        }
        for (auto count = rng_.below(3); count > 0; --count) {
            row.upstream_doh.push_back(text());
        }
        return put(row);
    }

    Step put_resource() {
        Resource row{.id = pick(resources_),
                     .type = static_cast<ResourceType>(rng_.below(5)),
                     .name = text(),
                     .address = {},
                     .address_description = maybe_text(),
                     .filters = {},
                     .sites = {}};
        if (row.type == ResourceType::kStaticDevicePool) {
            std::set<PoolMember> members;
            for (auto count = rng_.below(6); count > 0; --count) {
                members.insert({pick(actors_), std::to_string(rng_.below(kRows))});
            }
            row.members.assign(members.begin(), members.end());
        } else if (row.type != ResourceType::kInternet) {
            row.address = pick<std::string>({"10.0.0.0/8", "*.corp.example"});
        }
        if (row.type == ResourceType::kDns) {
            row.ip_stack = static_cast<IpStack>(rng_.below(3));
        }
        for (auto count = rng_.below(3); count > 0; --count) {
            ResourceFilter filter{static_cast<FilterProtocol>(rng_.below(3)), {}};
            for (auto ranges = rng_.below(3); ranges > 0; --ranges) {
                const auto first = static_cast<std::uint16_t>(rng_.below(65536));
                filter.ports.push_back({first, static_cast<std::uint16_t>(first + rng_.below(65536U - first))});
            }
            row.filters.push_back(std::move(filter));
        }
        std::ranges::copy_if(sites_, std::back_inserter(row.sites), [&](const SiteId&) { return !one_in(3); });
        return put(row);
    }

    Step put_token() {
        Token row{.id = pick(tokens_),
                  .type = static_cast<TokenType>(rng_.below(4)),
                  .account = one_in(4) ? std::nullopt : std::optional{account_},
                  .actor = one_in(2) ? std::nullopt : std::optional{pick(actors_)},
                  .site = one_in(2) ? std::nullopt : std::optional{pick(sites_)},
                  .secret_salt = text(),
                  .secret_hash = text(),
                  .expires_at = one_in(2) ? std::nullopt : std::optional{soon()}};
        return put(row);
    }

    Step register_client() {
        const ClientReport report{.actor = pick(actors_),
                                  .external_id = std::to_string(rng_.below(kRows)),
                                  .name = text(),
                                  .public_key = key(),
                                  .device_serial = maybe_text(),
                                  .device_uuid = maybe_text(),
                                  .identifier_for_vendor = maybe_text(),
                                  .firebase_installation_id = maybe_text(),
                                  .last_seen = seen()};
        return {line("register client", report.actor, report.external_id, report.public_key),
                [this, report, seed = rng_.fork()](Storage& storage) {
                    auto rng = seed;
                    const auto client = storage.register_client(report, rng);
                    if (client) {
                        remember(clients_, client->id);
                    }
                    return text_of(client);
                }};
    }

    Step register_gateway() {
        const GatewayReport report{.site = pick(sites_),
                                   .external_id = std::to_string(rng_.below(kRows)),
                                   .name = text(),
                                   .public_key = key(),
                                   .last_seen = seen()};
        return {line("register gateway", report.site, report.external_id, report.public_key),
                [this, report, seed = rng_.fork()](Storage& storage) {
                    auto rng = seed;
                    const auto gateway = storage.register_gateway(report, rng);
                    if (gateway) {
                        remember(gateways_, gateway->id);
                    }
                    return text_of(gateway);
                }};
    }

    Step register_relay() {
        RelayReport report{.name = maybe_text(),
                           .ipv4 = *net::IpAddress::parse("203.0.113.21"),
                           .ipv6 = *net::IpAddress::parse("2001:db8::21"),
                           .port = static_cast<std::uint16_t>(3478 + rng_.below(2)),
                           .last_seen = seen()};
        if (const auto missing = rng_.below(3); missing > 0) {
            (missing == 1 ? report.ipv4 : report.ipv6).reset();
        }
        return {line("register relay", report.ipv4, report.ipv6, std::to_string(report.port)),
                [this, report, seed = rng_.fork()](Storage& storage) {
                    auto rng = seed;
                    const auto relay = storage.register_relay(report, rng);
                    if (relay) {
                        remember(relays_, relay->id);
                    }
                    return text_of(relay);
                }};
    }

    Step look_after_devices() {
        switch (rng_.below(5)) {
            case 0:
                return {line("seen", clients_, gateways_, now_),
                        [clients = clients_, gateways = gateways_, now = now_](Storage& storage) {
                            storage.record_presence(clients, gateways, now);
                            return std::string{};
                        }};
            case 1:
                return {line("erase devices unseen since", now_), [now = now_](Storage& storage) {
                            return std::to_string(storage.erase_unseen_devices(now - std::chrono::seconds{300}, 100));
                        }};
            case 2:
                return {line("release addresses", now_), [now = now_](Storage& storage) {
                            storage.release_addresses(now, std::chrono::seconds{5});
                            return std::string{};
                        }};
            case 3:
                return {line("erase turn users that expired by", now_), [now = now_](Storage& storage) {
                            storage.erase_expired_turn_users(now);
                            return std::string{};
                        }};
            default:
                break;
        }
        const TurnUser user{.salt = std::to_string(rng_.below(40)),
                            .token = pick(tokens_),
                            .device = clients_.empty() ? Uuid{} : pick(clients_).uuid(),
                            .until = soon()};
        return {line("turn user", user.salt, user.token, user.until), [user](Storage& storage) {
                    if (storage.find_token(user.token) && storage.find_client(ClientId{user.device})) {
                        storage.put(user);
                    }
                    return std::string{};
                }};
    }

    Step insert_flow() {
        const Flow flow{.id = pick(flows_),
                        .client = clients_.empty() ? ClientId{} : pick(clients_),
                        .gateway = gateways_.empty() ? GatewayId{} : pick(gateways_),
                        .resource = pick(resources_),
                        .policy = pick(policies_),
                        .membership = pick(memberships_),
                        .token = pick(tokens_),
                        .client_remote_ip = address(),
                        .client_user_agent = text(),
                        .gateway_remote_ip = address(),
                        .expires_at = soon()};
        if (one_in(4)) {
            return {"insert " + text_of(flow), [flow](Storage& storage) { return text_of(storage.insert(flow, {})); }};
        }
        return {"insert, granted if possible, " + text_of(flow),
                [flow](Storage& storage) { return insert_granted(flow, storage); }};
    }

    Step insert_device_flow() {
        const DeviceFlow flow{.id = pick(flows_),
                              .client = clients_.empty() ? ClientId{} : pick(clients_),
                              .device = clients_.empty() ? ClientId{} : pick(clients_),
                              .resource = pick(resources_),
                              .policy = pick(policies_),
                              .membership = pick(memberships_),
                              .token = pick(tokens_),
                              .client_remote_ip = address(),
                              .client_user_agent = text(),
                              .device_remote_ip = address(),
                              .expires_at = soon()};
        return {"introduce, granted if possible, " + text_of(flow),
                [flow](Storage& storage) { return insert_granted(flow, storage); }};
    }

    /// `flow` with policy, membership and resource of an actual grant, where there is one.
    template <typename Row>
    static std::string insert_granted(Row flow, Storage& storage) {
        const auto client = storage.find_client(flow.client);
        const auto directory = storage.load_directory();
        const ClientFacts facts{.remote_ip = std::nullopt,
                                .is_verified = client && client->verified_at,
                                .auth_provider = std::nullopt,
                                .now = {}};
        TimeWindows windows;
        for (const auto& [id, policy] : directory.policies) {
            const auto grants =
                client ? find_grants(directory, client->actor, facts, policy.resource, windows) : std::vector<Grant>{};
            if (!grants.empty()) {
                flow.resource = policy.resource;
                flow.policy = grants.front().policy;
                flow.membership = grants.front().membership;
                return text_of(storage.insert(flow, directory.policies.at(flow.policy).conditions));
            }
        }
        return text_of(storage.insert(flow, {}));
    }

    Step erase_unreachable_flows() {
        const auto client = clients_.empty() ? ClientId{} : pick(clients_);
        std::set<PolicyId> granting;
        std::ranges::copy_if(policies_, std::inserter(granting, granting.end()),
                             [&](const PolicyId&) { return one_in(2); });
        return {line("erase flows except", client, std::vector<PolicyId>{granting.begin(), granting.end()}),
                [client, granting](Storage& storage) { return text_of(storage.erase_flows_except(client, granting)); }};
    }

    Step set_verified() {
        const auto client = clients_.empty() ? ClientId{} : pick(clients_);
        const auto since = one_in(3) ? std::nullopt : std::optional{now_};
        return {line("verified", client, since),
                [client, since](Storage& storage) { return text_of(storage.set_verified(client, since)); }};
    }

    Step put_anything() {
        switch (rng_.below(8)) {
            case 0:
                return put_account();
            case 1:
                return put(Site{pick(sites_), text()});
            case 2:
                return put(Actor{pick(actors_), static_cast<ActorType>(rng_.below(4)), text(), maybe_text()});
            case 3:
                return put(Group{pick(groups_), text()});
            case 4:
                return put(Membership{pick(memberships_), pick(actors_), pick(groups_)});
            case 5:
                return put_resource();
            case 6:
                return put(
                    Policy{.id = pick(policies_),
                           .group = pick(groups_),
                           .resource = pick(resources_),
                           .conditions = one_in(6) ? PolicyConditions{ClientVerifiedCondition{}} : PolicyConditions{},
                           .is_disabled = one_in(6),
                           .logs_flows = !one_in(6)});
            default:
                return put_token();
        }
    }

    template <typename Id>
    Step end_device(std::string_view kind, Id id) {
        if (one_in(2)) {
            return {line("revoke " + std::string{kind}, id),
                    [id, now = now_](Storage& storage) { return text_of(storage.revoke(id, now)); }};
        }
        return {line("erase " + std::string{kind}, id), [id](Storage& storage) { return text_of(storage.erase(id)); }};
    }

    Step end_any_device() {
        switch (rng_.below(3)) {
            case 0:
                return end_device("client", clients_.empty() || one_in(6) ? ClientId{} : pick(clients_));
            case 1:
                return end_device("gateway", gateways_.empty() || one_in(6) ? GatewayId{} : pick(gateways_));
            default:
                return end_device("relay", relays_.empty() || one_in(6) ? RelayId{} : pick(relays_));
        }
    }

    Step erase_anything() {
        switch (rng_.below(11)) {
            case 0:
                return erase("site", pick(sites_));
            case 1:
                return erase("actor", pick(actors_));
            case 2:
                return erase("group", pick(groups_));
            case 3:
                return erase("membership", pick(memberships_));
            case 4:
                return erase("resource", pick(resources_));
            case 5:
                return erase("policy", pick(policies_));
            case 6:
                return {"erase a token\n",
                        [id = pick(tokens_)](Storage& storage) { return text_of(storage.erase(id)); }};
            case 7:
                return {line("erase tokens that expired by", now_), [now = now_](Storage& storage) {
                            storage.erase_expired_tokens(now);
                            return std::string{};
                        }};
            case 8:
            case 9:
                return end_any_device();
            default:
                return {line("erase flows that expired by", now_), [now = now_](Storage& storage) {
                            storage.erase_expired_flows(now);
                            return std::string{};
                        }};
        }
    }

    Step single() {
        switch (rng_.below(31)) {
            case 29:
                return set_verified();
            case 30:
                return end_any_device();
            case 25:
                return look_after_devices();
            case 0:
                return erase_anything();
            case 1:
                return register_client();
            case 2:
                return register_gateway();
            case 3:
                return register_relay();
            case 4:
                return erase_unreachable_flows();
            case 5:
                return {"use a token\n", [id = pick(tokens_), seen = seen()](Storage& storage) {
                            storage.record_use(id, seen);
                            return std::string{};
                        }};
            case 6:
            case 7:
            case 8:
            case 9:
            case 10:
            case 11:
            case 12:
            case 13:
            case 14:
            case 15:
            case 16:
            case 17:
            case 26:
                return insert_flow();
            case 27:
            case 28:
                return insert_device_flow();
            default:
                return put_anything();
        }
    }

    Step transaction() {
        std::vector<Step> steps;
        std::generate_n(std::back_inserter(steps), 1 + rng_.below(5), [&] { return single(); });
        const bool fails = one_in(3);
        std::string name = fails ? "transaction that is undone:\n" : "transaction:\n";
        for (const auto& step : steps) {
            name += "    " + step.name;
        }
        return {name + "  end of transaction\n", [steps, fails](Storage& storage) {
                    std::string results;
                    storage.in_transaction([&] {
                        for (const auto& step : steps) {
                            results += step.operation(storage) + '\n';
                        }
                        if (fails) {
                            throw Undo{};
                        }
                    });
                    return results;
                }};
    }

    template <typename Id>
    static void remember(std::vector<Id>& known, const Id& id) {
        if (std::ranges::count(known, id) == 0) {
            known.push_back(id);
        }
    }

    Rng seed_;
    Rng rng_;
    UnixSeconds now_ = kStart;
    AccountId account_;
    std::vector<SiteId> sites_ = make_ids<SiteId>(seed_.child("sites"));
    std::vector<ActorId> actors_ = make_ids<ActorId>(seed_.child("actors"));
    std::vector<GroupId> groups_ = make_ids<GroupId>(seed_.child("groups"));
    std::vector<MembershipId> memberships_ = make_ids<MembershipId>(seed_.child("memberships"));
    std::vector<ResourceId> resources_ = make_ids<ResourceId>(seed_.child("resources"));
    std::vector<PolicyId> policies_ = make_ids<PolicyId>(seed_.child("policies"));
    std::vector<TokenId> tokens_ = make_ids<TokenId>(seed_.child("tokens"));
    std::vector<FlowId> flows_ = make_ids<FlowId>(seed_.child("flows"));
    std::vector<ClientId> clients_;
    std::vector<GatewayId> gateways_;
    std::vector<RelayId> relays_;
};

}  // namespace culvert::portal
