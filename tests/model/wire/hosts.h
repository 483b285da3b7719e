#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "culvert/crypto/hash.h"
#include "culvert/portal_api/messages.h"
#include "tests/model/reference/calm.h"
#include "tests/model/world/observation.h"

/// What a bystander knows of the hosts without looking at datagrams: addresses, the life of processes, faults, and what
/// the portal told whom.
namespace culvert::model::wire {

/// What the portal granted a device and one peer: credentials and keys.
struct Grant {
    Uuid peer;
    bool is_client = false;  ///< whether the device that holds it is the client of the two
    portal_api::IceCredentials local;
    portal_api::IceCredentials remote;
    crypto::PresharedKey preshared_key;
    /// Key of MAC1 in handshake messages to the peer (WireGuard paper 5.4.4).
    crypto::Blake2sDigest mac1_key{};
    Instant since;
    /// Last time that the portal told the device of the grant.
    Instant renewed;
};

/// A relay that a device was told to use.
struct RelayCredentials {
    RelayId id;
    std::string username;
    std::string password;
    Instant since;

    /// MD5(username:realm:password), the key of MESSAGE-INTEGRITY (RFC 8489 section 9.2.2).
    crypto::Md5Digest key{};
};

struct Host {
    Device device;
    std::vector<net::IpAddress> addresses;
    std::set<net::IpAddress> former_addresses;
    /// When its process last had reason to show itself to its peers anew: it has moved, or stood still.
    std::optional<Instant> changed_at;
    std::uint16_t port = 0;
    Duration latency{};
    std::uint8_t lan = 0;            ///< hosts with the same number other than 0 share a NAT
    bool has_impatient_nat = false;  ///< one that forgets mappings which are refreshed every 25 s
    bool is_late = false;            ///< whether its timers go off late
    bool is_hostile = false;
    bool is_revoked = false;     ///< its token was deleted: relays refuse what it was given
    bool has_few_ports = false;  ///< a relay that may have none left
    /// The production event loop: datagrams wait in queues before they leave.
    bool has_queues = false;

    ProcessState state = ProcessState::kStopped;
    /// The process's clock is this much behind the world's.
    Duration slept{};
    std::optional<Instant> asleep_since;

    std::optional<Uuid> id;
    std::optional<crypto::PublicKey> public_key;
    /// When the present run of its process last came to a session with the portal.
    std::optional<Instant> session_opened;
    /// SOFTWARE of the requests it sends with that key.
    std::string software;

    /// By the USERNAME of checks that the device sends.
    std::map<std::string, Grant, std::less<>> grants;
    /// Its own user fragments of all grants so far: messages may be on their way while a grant is replaced.
    std::set<std::string, std::less<>> ufrags;
    std::map<net::SocketAddress, RelayCredentials> relays;
    /// User names of checks, and addresses of relays, that the portal took away or replaced, and when.
    std::map<std::string, Instant, std::less<>> former_usernames;
    std::map<net::SocketAddress, Instant> former_relays;
    /// When the portal last told it about relays.
    std::optional<Instant> last_relay_list;
    /// Increases with every start of its process.
    unsigned run = 0;

    [[nodiscard]] bool is_client() const { return std::holds_alternative<ClientNo>(device); }
    [[nodiscard]] bool is_relay() const { return std::holds_alternative<RelayNo>(device); }
    [[nodiscard]] bool has_address(const net::IpAddress& address) const;
    /// Whether a datagram to the relay, or a check with that USERNAME, may have been written before it was withdrawn.
    [[nodiscard]] bool may_still_use(const net::SocketAddress& relay, Instant now) const;
    [[nodiscard]] bool may_still_use(std::string_view username, Instant now) const;
    [[nodiscard]] const Grant* find_grant(const Uuid& peer) const;
    /// The time by the process's own clock.
    [[nodiscard]] Instant local(Instant now) const { return now - slept; }
    [[nodiscard]] std::string name() const { return model::name(device); }
};

class Hosts {
public:
    explicit Hosts(const Setup& setup);

    void observe(const Observation& observation, Instant now);

    [[nodiscard]] Host& at(const Device& device) { return hosts_.at(device); }
    [[nodiscard]] Host* find_id(const Uuid& id);
    /// Whether this relay has few ports for allocations.
    [[nodiscard]] bool may_be_full(const net::SocketAddress& relay) const;
    /// Where pace is judged: only in the calm.
    [[nodiscard]] const Calm& calm() const { return calm_; }
    [[nodiscard]] std::map<Device, Host>& all() { return hosts_; }

private:
    void handle(const ProcessChanged& change, Instant now);
    void handle(const HostAttached& attached, Instant now);
    void handle(const NatReplaced& replaced);
    void handle(const SessionOpened& session, Instant now);
    void handle(const MessageToDevice& message, Instant now);
    void use_relays(Host& host, const std::vector<portal_api::Relay>& relays, Instant now);
    void grant(Host& host, Grant grant, const crypto::PublicKey& peer_key, Instant now);
    /// The other hosts of its LAN.
    template <typename Visit>
    void for_neighbours(const Host& host, const Visit& visit);

    std::map<Device, Host> hosts_;
    std::map<Uuid, Device> devices_;
    Calm calm_;
};

}  // namespace culvert::model::wire
