#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "culvert/base/time.h"
#include "culvert/base/uuid.h"
#include "culvert/net/socket_address.h"
#include "culvert/observability/log.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/portal_api/messages.h"
#include "culvert/tunnel/flow_accounts.h"

namespace culvert::tunnel {

/// One line in the log for each TCP connection and each exchange of UDP packets that is over: who talked to what, when
/// and how much (spec/tunnel.md section 6.12). Targets `flow_logs::tcp` and `flow_logs::udp`, level TRACE: nothing is
/// kept unless these lines are wanted.
///
/// Knows flows by handles, which whoever has the flows keeps with them. A flow is over after a RST, a FIN of both
/// sides, or two minutes of silence; to make room, the one that was silent for longest.
class FlowLog {
public:
    /// As many as a gateway has flows.
    explicit FlowLog(Instant now, WallTime wall_now, std::size_t limit);

    /// Looks whether lines are wanted. Nothing happens while they are not.
    void refresh();
    [[nodiscard]] bool is_on() const { return is_on_; }

    /// What is told of the client and the resource of a flow.
    void note_authorization(const portal_api::AuthorizeFlow& message);
    /// Flows that run are told of all the same.
    void forget_client(const ClientId& client) { parties_.erase(client); }

    /// 0: none.
    using Handle = std::uint64_t;
    /// The way outside: of the last packet of the client.
    struct Outer {
        net::SocketAddress remote;
        net::SocketAddress local;

        friend bool operator==(const Outer&, const Outer&) = default;
    };
    struct Start {
        ClientId client;
        ResourceId resource;
        /// As the client has it, and where it really leads.
        net::SocketAddress source;
        net::SocketAddress destination;
        /// Of a DNS resource.
        std::string domain;
        Outer outer;
    };
    /// With a packet of the client that may_begin_account().
    [[nodiscard]] Handle start(Start start, const packet::IpPacket& packet, Instant now);

    /// A further packet of the client. False: the handle's flow is over, or this packet ends it and begins another.
    [[nodiscard]] bool note_sent(Handle handle, const Outer& outer, const packet::IpPacket& packet, Instant now);
    /// So many packets to the client, of which this is the first, or all in one.
    void note_received(Handle handle, const packet::IpPacket& packet, std::size_t packets, Instant now);

    /// Once a second: tells of what is over.
    void sweep(Instant now, UnixSeconds wall_now);
    void finish_all(Instant now);

    [[nodiscard]] std::size_t size() const { return flows_.size(); }

private:
    using Fields = std::vector<log::TextField>;
    struct Party {
        std::shared_ptr<const Fields> client;
        std::map<ResourceId, std::shared_ptr<const Fields>> resources;
    };
    struct Logged {
        Start start;
        std::shared_ptr<const Fields> client;
        std::shared_ptr<const Fields> resource;
    };
    using Flow = FlowAccounts<Logged>::Flow;

    void finish(Flow& flow, Instant end);
    void write(const Flow& flow, Instant end) const;
    [[nodiscard]] std::string text_of(Instant when) const;

    bool is_on_ = false;
    /// One moment on both clocks.
    Instant anchor_;
    WallTime wall_anchor_;
    std::map<ClientId, Party> parties_;
    FlowAccounts<Logged> flows_;
};

}  // namespace culvert::tunnel
