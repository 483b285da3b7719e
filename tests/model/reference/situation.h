#pragma once

#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "tests/model/reference/access_model.h"
#include "tests/model/reference/answers.h"
#include "tests/model/reference/calm.h"
#include "tests/model/reference/grants.h"
#include "tests/model/reference/told_resources.h"
#include "tests/model/world/observation.h"

namespace culvert::model {

/// Everything the reference knows at an instant: what the portal permits, what every device was told, who owns which
/// address, and what is out of order.
class Situation {
public:
    explicit Situation(const Setup& setup);

    void observe(const Observation& observation, Instant now);

    [[nodiscard]] const Setup& setup() const { return setup_; }
    [[nodiscard]] const AccessModel& access() const { return access_; }
    [[nodiscard]] const Calm& calm() const { return calm_; }
    [[nodiscard]] const ToldResources& told(ClientNo client) const;
    [[nodiscard]] const Grants& grants(GatewayNo gateway) const;
    [[nodiscard]] const Answers& answers() const { return answers_; }
    /// When the client's process last ended with a goodbye that must have reached the gateway; nullopt if it never did.
    [[nodiscard]] std::optional<Instant> goodbye_at(ClientNo client, GatewayNo gateway) const;
    [[nodiscard]] bool is_hostile(ClientNo client) const;
    [[nodiscard]] bool is_hostile(GatewayNo gateway) const;
    /// How the client is attached now; it may have moved.
    [[nodiscard]] const Access& access_of(const std::variant<ClientNo, GatewayNo>& device) const;
    /// The NAT that the host is behind: its own, or that of its LAN.
    [[nodiscard]] const std::optional<NatBox>& nat_of(const Device& host) const;
    /// Whether NATs may forget mappings that an idle connection between the two needs.
    [[nodiscard]] bool nats_forget(ClientNo client, GatewayNo gateway) const;
    /// Whether the portal may give the device no relay that it can reach: for want of a common address family, or
    /// because one is gone.
    [[nodiscard]] bool may_lack_relays(const Device& device) const;
    [[nodiscard]] Driver driver(const Device& device) const;
    /// What the gateway's own clock shows, which it judges expiry by (SEC-2).
    [[nodiscard]] WallTime wall_time_at(GatewayNo gateway, Instant now) const;
    /// What it would show if it had not been set within this time; the same if it was not.
    [[nodiscard]] WallTime former_wall_time_at(GatewayNo gateway, Instant now, Duration within) const;
    /// When access that the client's token gave is over by the gateway's clock; nullopt: never.
    [[nodiscard]] std::optional<Instant> token_expiry_at(GatewayNo gateway, ClientNo client) const;

    /// As the portal gave them.
    [[nodiscard]] std::optional<ClientId> id_of(ClientNo client) const;
    [[nodiscard]] std::optional<GatewayNo> find(const GatewayId& id) const;
    /// Whose tunnel address this is.
    using Owner = std::variant<ClientNo, GatewayNo>;
    [[nodiscard]] std::optional<Owner> owner(const net::IpAddress& address) const;
    [[nodiscard]] std::optional<portal_api::Interface> gateway_interface(GatewayNo gateway) const;
    /// Honest and hostile ones.
    [[nodiscard]] std::vector<ClientNo> clients() const { return numbers<ClientNo>(setup_.clients.size()); }
    [[nodiscard]] std::vector<GatewayNo> gateways() const { return numbers<GatewayNo>(setup_.gateways.size()); }
    /// Those of the resource's sites.
    [[nodiscard]] std::vector<GatewayNo> gateways_of(const AccessModel::Resource& resource) const;

    /// When the host last sent data of a session over another path than before; nullopt if it never did.
    [[nodiscard]] std::optional<Instant> path_switched_at(const Device& host) const;

    /// Whether this is an address of a relay that lies when it is told to.
    [[nodiscard]] bool is_liar(const net::IpAddress& address) const { return liars_.contains(address); }
    /// Whether a relay that lies may keep the two apart at this time: it does, and they have no connection that works,
    /// or one that may go through it. What goes another way goes on.
    [[nodiscard]] bool may_be_denied(ClientNo client, GatewayNo gateway, Instant at) const;

private:
    void handle(const ActionTaken& event, Instant now);
    void handle(const ProcessChanged& event, Instant now);
    void note_goodbyes(const ProcessChanged& event, Instant now);
    void handle(const HostAttached& event, Instant now);
    void handle(const NatReplaced& event, Instant now);
    void handle(const SessionOpened& event, Instant now);
    void handle(const MessageToDevice& event, Instant now);
    void handle(const MessageToPortal& event, Instant now);
    void handle(const PacketReturned& event, Instant now);
    void handle(const PacketDelivered& event, Instant now);
    void handle(const DatagramSent& event, Instant now);
    template <OneOf<FaultChanged, DatagramReceived, PacketSubmitted, PacketForwarded, AttackHandled, PacketForged,
                    PacketBetrayed, TransferStarted, TransferEnded, SessionClosed, DeviceFailed, InterfaceConfigured,
                    ResourcesListed, LogLine, Settled, StatesShown>
                  Ignored>
    void handle(const Ignored&, Instant) {}
    [[nodiscard]] bool is_connected(ClientNo client, GatewayNo gateway, Instant now) const;
    void learn(const Owner& owner, const portal_api::Interface& interface);
    /// How far the gateway's wall clock is ahead of the world's.
    [[nodiscard]] seconds clock_error(GatewayNo gateway) const;

    const Setup setup_;
    AccessModel access_;
    Calm calm_;
    std::map<ClientNo, ToldResources> told_;
    /// Under way to another network, where they start anew.
    std::set<ClientNo> roaming_;
    std::map<ClientNo, crypto::PublicKey> keys_;
    std::map<GatewayNo, Grants> grants_;
    Answers answers_;
    std::map<std::pair<ClientNo, GatewayNo>, Instant> goodbyes_;
    std::map<GatewayNo, portal_api::Interface> gateway_interfaces_;
    std::map<Device, Access> accesses_;
    /// A LAN has the NAT of the host that came first.
    struct Lan {
        std::set<Device> members;
        std::optional<NatBox> nat;
    };
    std::map<std::uint8_t, Lan> lans_;
    std::map<Device, std::optional<NatBox>> nats_;
    struct ClockSet {
        Instant at;
        seconds error;
        seconds former_error;
    };
    std::map<GatewayNo, ClockSet> clocks_set_;
    std::map<Device, Uuid> ids_;
    std::map<net::IpAddress, Owner> owners_;

    struct Path {
        net::SocketAddress to;
        std::uint16_t channel = 0;

        friend bool operator==(const Path&, const Path&) = default;
    };
    /// Of each session, named by the index that its receiver chose.
    std::map<std::pair<Device, std::uint32_t>, Path> paths_;
    std::map<Device, Instant> path_switches_;
    std::set<net::IpAddress> liars_;
    /// Devices that have sent data through one of them.
    std::set<Device> users_of_liars_;
};

}  // namespace culvert::model
