#include "tests/model/world/portal_process.h"

#include <algorithm>

#include "culvert/portal/constants.h"
#include "tests/model/scenario/ids.h"
#include "tests/model/world/hidden_work.h"

namespace culvert::model {
std::expected<portal::Client, portal::RegisterError> RegistrarStorage::register_client(
    const portal::ClientReport& report, Rng& rng) {
    auto client = MemoryStorage::register_client(report, rng);
    if (client) {
        last_registered_ = client->id.uuid();
    }
    return client;
}

std::expected<portal::Gateway, portal::RegisterError> RegistrarStorage::register_gateway(
    const portal::GatewayReport& report, Rng& rng) {
    auto gateway = MemoryStorage::register_gateway(report, rng);
    if (gateway) {
        last_registered_ = gateway->id.uuid();
    }
    return gateway;
}

std::expected<portal::RelayServer, portal::RegisterError> RegistrarStorage::register_relay(
    const portal::RelayReport& report, Rng& rng) {
    auto relay = MemoryStorage::register_relay(report, rng);
    if (relay) {
        last_registered_ = relay->id.uuid();
    }
    return relay;
}

portal::TokenKeys RegistrarStorage::token_keys() {
    static const auto keys = [] {
        const portal::TokenKeys made{"key base of all simulated portals", "salt of all simulated portals"};
        for (const auto type : {portal::TokenType::kClient, portal::TokenType::kGateway, portal::TokenType::kRelay}) {
            static_cast<void>(made.signing_key(type));
        }
        return made;
    }();
    return keys;
}

PortalProcess::PortalProcess(const Setup& setup, Environment& environment)
    : setup_{setup}, environment_{environment}, rng_{environment.rng("portal/database")}, storage_{rng_} {
    configure();
}

void PortalProcess::configure() {
    for (const auto site : numbers<SiteNo>(setup_.sites)) {
        storage_.put(portal::Site{site_id(site), name(site)});
    }
    for (const auto group : numbers<GroupNo>(setup_.groups)) {
        const auto id = portal::GroupId::random(rng_);
        groups_.emplace(group, id);
        storage_.put(portal::Group{id, name(group)});
    }
    for (const auto resource : numbers<ResourceNo>(setup_.resources.size())) {
        storage_.put(make_resource(resource, 0));
    }
    for (std::size_t i = 0; i < setup_.clients.size(); ++i) {
        const auto client = number<ClientNo>(i);
        const auto actor = portal::ActorId::random(rng_);
        actors_.emplace(client, actor);
        storage_.put(portal::Actor{actor, portal::ActorType::kServiceAccount, "actor" + std::to_string(client.value),
                                   std::nullopt});
        for (const auto group : setup_.clients[i].groups) {
            storage_.put(portal::Membership{portal::MembershipId::random(rng_), actor, groups_.at(group)});
        }
        create_token(client, {.type = portal::TokenType::kClient, .actor = actor}, setup_.clients[i].token_lifetime);
    }
    for (std::size_t i = 0; i < setup_.gateways.size(); ++i) {
        create_token(number<GatewayNo>(i),
                     {.type = portal::TokenType::kGateway, .site = site_id(setup_.gateways[i].site)}, std::nullopt);
    }
    for (const auto relay : numbers<RelayNo>(setup_.relays.size())) {
        create_token(relay, {.type = portal::TokenType::kRelay}, std::nullopt);
    }
    for (const auto& policy : setup_.policies) {
        portal::Policy row{.id = portal::PolicyId::random(rng_),
                           .group = groups_.at(policy.group),
                           .resource = resource_id(policy.resource, 0)};
        row.is_disabled = policy.is_disabled;
        storage_.put(row);
    }
}

void PortalProcess::create_token(const Device& device, portal::TokenOwner owner, std::optional<seconds> lifetime) {
    if (owner.type != portal::TokenType::kRelay) {
        owner.account = storage_.load_directory().account.id;
    }
    const auto now = environment_.wall_now();
    const auto expires_at =
        lifetime ? std::optional{std::chrono::floor<std::chrono::seconds>(now) + *lifetime} : std::nullopt;
    auto token = portal::create_token(owner, expires_at, storage_.token_keys(), rng_, now);
    storage_.put(token.row);
    tokens_.emplace(device, std::move(token));
}

portal::Resource PortalProcess::make_resource(ResourceNo number, std::uint8_t generation) const {
    const auto& setup = setup_.resources.at(number.value - 1U);
    portal::Resource resource{.id = resource_id(number, generation),
                              .type = portal::ResourceType::kCidr,
                              .name = name(number),
                              .address = setup.address.to_string(),
                              .address_description = std::nullopt,
                              .filters = make_filters(setup.filters),
                              .sites = {}};
    std::ranges::transform(setup.sites, std::back_inserter(resource.sites), site_id);
    std::ranges::sort(resource.sites);
    return resource;
}

std::vector<portal::ResourceFilter> PortalProcess::make_filters(const std::vector<portal_api::Filter>& filters) {
    std::vector<portal::ResourceFilter> rows;
    for (const auto& filter : filters) {
        portal::ResourceFilter row{.protocol = filter.protocol, .ports = {}};
        if (filter.protocol != portal_api::FilterProtocol::kIcmp) {
            row.ports.push_back({filter.port_range_start, filter.port_range_end});
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

void PortalProcess::start(Instant now) {
    environment_.set_speaker(PortalNo{});
    plane_.emplace(storage_, environment_.rng("portal/" + std::to_string(++incarnation_)), now);
    changes_due_.reset();
}

void PortalProcess::stop() {
    plane_.reset();
}

void PortalProcess::administer(const std::function<void(portal::Storage&)>& change, Instant now) {
    storage_.in_transaction([&] { change(storage_); });
    if (plane_ && !changes_due_) {
        changes_due_ = now + Duration{static_cast<Duration::rep>(rng_.below(portal::kChangeInterval.count()))};
    }
}

std::expected<PortalProcess::Accepted, portal::Refusal> PortalProcess::connect(const portal::ConnectRequest& request,
                                                                               Instant now) {
    const auto session = plane_->connect(request, now, environment_.wall_now());
    if (!session) {
        return std::unexpected{session.error()};
    }
    return Accepted{*session, storage_.last_registered()};
}

Duration PortalProcess::handle_frame(portal::SessionId session, std::string_view text, Instant now) {
    return plane_->handle_frame(session, text, now, environment_.wall_now());
}

void PortalProcess::disconnect(portal::SessionId session, Instant now) {
    plane_->disconnect(session, now);
}

void PortalProcess::handle_timeout(Instant now) {
    environment_.set_speaker(PortalNo{});
    if (!plane_) {
        return;
    }
    if (changes_due_ && *changes_due_ <= now) {
        changes_due_.reset();
        plane_->handle_changes(now, environment_.wall_now());
    }
    if (const auto due = plane_->poll_timeout(); due && *due <= now) {
        plane_->handle_timeout(now, environment_.wall_now());
    }
}

std::optional<Instant> PortalProcess::poll_timeout() const {
    if (!plane_) {
        return std::nullopt;
    }
    auto due = plane_->poll_timeout();
    if (changes_due_) {
        due = due ? std::min(*due, *changes_due_) : changes_due_;
    }
    return due;
}

std::string_view PortalProcess::find_hidden_work(Instant now) {
    environment_.set_speaker(PortalNo{});
    return plane_ ? model::find_hidden_work(
                        now, [&] { return plane_->poll_timeout(); },
                        [&] { plane_->handle_timeout(now, environment_.wall_now()); },
                        [&] { return plane_->poll_output().has_value(); })
                  : std::string_view{};
}

std::optional<portal::Output> PortalProcess::poll_output() {
    return plane_ ? plane_->poll_output() : std::nullopt;
}

}  // namespace culvert::model
