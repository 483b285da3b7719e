#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/portal/control_plane.h"
#include "culvert/portal/memory_storage.h"
#include "tests/model/scenario/setup.h"
#include "tests/model/world/environment.h"

namespace culvert::model {

/// A database in memory that remembers which device registered last.
class RegistrarStorage final : public portal::MemoryStorage {
public:
    using MemoryStorage::MemoryStorage;

    std::expected<portal::Client, portal::RegisterError> register_client(const portal::ClientReport& report,
                                                                         Rng& rng) override;
    std::expected<portal::Gateway, portal::RegisterError> register_gateway(const portal::GatewayReport& report,
                                                                           Rng& rng) override;
    std::expected<portal::RelayServer, portal::RegisterError> register_relay(const portal::RelayReport& report,
                                                                             Rng& rng) override;
    /// The same in all worlds: deriving keys for each would take longer than everything else in some of them.
    portal::TokenKeys token_keys() override;

    [[nodiscard]] const Uuid& last_registered() const { return last_registered_; }

private:
    Uuid last_registered_;
};

/// The portal: the product's control plane above a database in memory, which survives crashes.
class PortalProcess {
public:
    PortalProcess(const Setup& setup, Environment& environment);

    void start(Instant now);
    /// The caller ends the connections.
    void stop();
    [[nodiscard]] bool is_running() const { return plane_.has_value(); }

    /// The token a device was installed with.
    [[nodiscard]] const std::string& token(const Device& device) const { return tokens_.at(device).text; }

    /// An administrator's change, by another process: the portal notices a little later, as `serve` polls.
    void administer(const std::function<void(portal::Storage&)>& change, Instant now);

    // Connections.
    struct Accepted {
        portal::SessionId session;
        Uuid device;  ///< id of the client, gateway or relay
    };
    [[nodiscard]] std::expected<Accepted, portal::Refusal> connect(const portal::ConnectRequest& request, Instant now);
    /// How long not to read on.
    Duration handle_frame(portal::SessionId session, std::string_view text, Instant now);
    void disconnect(portal::SessionId session, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;
    [[nodiscard]] std::optional<portal::Output> poll_output();
    /// See hidden_work.h.
    [[nodiscard]] std::string_view find_hidden_work(Instant now);

    // Ids of rows, for administrators.
    [[nodiscard]] portal::GroupId group(GroupNo group) const { return groups_.at(group); }
    [[nodiscard]] portal::ActorId actor(ClientNo client) const { return actors_.at(client); }
    [[nodiscard]] portal::TokenId token_id(const Device& device) const { return tokens_.at(device).row.id; }
    [[nodiscard]] portal::Storage& storage() { return storage_; }
    [[nodiscard]] Rng& rng() { return rng_; }

    /// A resource as the setup has it, with a fresh id of this generation.
    [[nodiscard]] portal::Resource make_resource(ResourceNo number, std::uint8_t generation) const;
    [[nodiscard]] static std::vector<portal::ResourceFilter> make_filters(
        const std::vector<portal_api::Filter>& filters);

    [[nodiscard]] const portal::ControlPlane* plane() const { return plane_ ? &*plane_ : nullptr; }

private:
    void configure();
    void create_token(const Device& device, portal::TokenOwner owner, std::optional<seconds> lifetime);

    const Setup& setup_;
    Environment& environment_;
    Rng rng_;
    RegistrarStorage storage_;
    std::optional<portal::ControlPlane> plane_;
    unsigned incarnation_ = 0;
    std::optional<Instant> changes_due_;
    std::map<GroupNo, portal::GroupId> groups_;
    std::map<ClientNo, portal::ActorId> actors_;
    std::map<Device, portal::NewToken> tokens_;
};

}  // namespace culvert::model
