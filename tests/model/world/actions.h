#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "culvert/base/rng.h"
#include "tests/model/scenario/action.h"

namespace culvert::model {

class HostileGateway;
class Machine;
class PortalLink;
class World;

/// Carries out the steps of a scenario in a world. An overload for every action; each returns whether its precondition
/// held.
class Actions {
public:
    explicit Actions(World& world);

    void take(const Step& step);
    /// The end of every case: clients and gateways leave, and nothing of them may be left (RES-2).
    void take_leave();

private:
    /// A fault that goes on: what judges are told of it, and how it ends.
    struct Fault {
        std::string_view name;
        Process victim;
        std::function<void()> undo;
        std::uint64_t number = 0;
    };
    /// Ends after this time, or with heal_everything(). `key` is what the fault is on: a newer one takes the place of
    /// an older one, whose end is no end then.
    void begin_fault(std::string key, Fault fault, Duration duration);
    void end_fault(std::map<std::string, Fault>::iterator entry);

    // actions_traffic.cpp
    bool apply(const Probe& action);
    bool apply(const Expect& action);
    bool apply(const Transfer& action);
    bool apply(const Unsolicited& action);
    [[nodiscard]] std::optional<net::IpAddress> resolve(const Destination& to) const;
    /// Requires that the client has an interface.
    [[nodiscard]] net::IpAddress source_address(const Probe& probe, bool is_v4) const;
    void send_probe(const Probe& probe, const net::IpAddress& destination, unsigned index);

    // actions_admin.cpp
    bool apply(const CreateResource& action);
    bool apply(const DeleteResource& action);
    bool apply(const SetAddress& action);
    bool apply(const SetFilters& action);
    bool apply(const SetSites& action);
    bool apply(const CreatePolicy& action);
    bool apply(const DeletePolicy& action);
    bool apply(const SetPolicyDisabled& action);
    bool apply(const JoinGroup& action);
    bool apply(const LeaveGroup& action);
    bool apply(const RevokeToken& action);
    bool apply(const RenameSite& action);
    bool apply(const SetSearchDomain& action);
    [[nodiscard]] std::optional<ResourceId> current_id(ResourceNo resource) const;

    // actions_processes.cpp
    bool apply(const Start& action);
    bool apply(const Stop& action);
    bool apply(const Crash& action);
    bool apply(const Hang& action);
    bool apply(const Suspend& action);
    bool apply(const Roam& action);
    bool apply(const Move& action);
    bool apply(const Reset& action);
    bool end_portal(bool is_crash);
    void start_portal();
    void check_clients_are_forgotten();
    /// Applications do not run on a hostile client.
    [[nodiscard]] bool is_hostile(ClientNo client) const;
    [[nodiscard]] bool is_hostile(RelayNo relay) const;
    /// Null if the scenario has no such device.
    [[nodiscard]] Machine* find(const Device& device) const;

    // actions_faults.cpp
    bool apply(const ImpairLink& action);
    bool apply(const BlockDirect& action);
    bool apply(const BlockRelay& action);
    bool apply(const LoseFamily& action);
    bool apply(const RebootNat& action);
    bool apply(const RenumberNat& action);
    bool apply(const ReplaceNat& action);
    bool apply(const SetClock& action);
    bool apply(const CutPortal& action);
    bool apply(const PortalTrouble& action);
    bool apply(const Settle& action);
    /// For everybody behind the same NAT.
    void observe_forgetful_nat(const Device& device);
    [[nodiscard]] bool is_behind_nat(const Device& device) const;
    bool block(const Device& a, const Device& b, std::string_view fault, Duration duration);
    void heal_everything();
    void verify_reachability();
    void show_states();

    // actions_attacks.cpp
    bool apply(const Forge& action);
    bool apply(const Attack& action);
    bool apply(const AbuseRelay& action);
    bool apply(const Deceive& action);
    void take_what_is_given(const AbuseRelay& action, Machine& machine);
    struct ForgeTargets;
    [[nodiscard]] Bytes forge(const Forge& action, const ForgeTargets& at);

    // actions_betrayals.cpp
    bool apply(const Betray& action);
    struct BetrayTargets;
    void flood_portal(PortalLink& link, const GatewayId& gateway, unsigned rounds);
    bool betray_in_tunnel(const Betray& action, HostileGateway& hostile, const Uuid& client, Machine& machine);
    [[nodiscard]] Bytes make_betrayal(const Betray& action, const BetrayTargets& at);

    World& world_;
    Rng forge_rng_;
    std::map<ResourceNo, std::uint8_t> generations_;
    std::uint64_t last_fault_ = 0;
    std::map<std::string, Fault> faults_;
};

}  // namespace culvert::model
