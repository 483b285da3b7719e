#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "tests/model/observer/verdict.h"
#include "tests/model/scenario/action.h"
#include "tests/model/world/environment.h"
#include "tests/model/world/tcp_endpoint.h"

namespace culvert::model {

/// The TCP transfers that applications do, with both of their ends. Every host behind a gateway serves them: the client
/// says how many bytes in which direction, and each side compares what it gets with what the other must have sent.
class Transfers {
public:
    /// `to_tun` is a client's application handing a packet to the TUN, `from_resource` a server's answer on its way to
    /// the gateway that the client's packets came through.
    struct Ways {
        std::function<void(ClientNo, Bytes)> to_tun;
        std::function<void(GatewayNo, Bytes)> from_resource;
    };
    Transfers(Environment& environment, Verdict& verdict, Ways ways);

    /// False if the client's port is in use.
    bool start(const Transfer& transfer, const net::IpAddress& from, const net::IpAddress& to, Instant now);

    /// Whether the packet belongs to a transfer, and was consumed.
    bool handle_at_client(ClientNo client, ByteSpan packet, Instant now);
    bool handle_at_resource(GatewayNo gateway, ByteSpan packet, Instant now);

    void handle_timeout(Instant now);
    [[nodiscard]] std::optional<Instant> poll_timeout() const;

private:
    using Ends = std::pair<net::SocketAddress, net::SocketAddress>;  ///< client's, server's
    struct Flow {
        Transfer transfer;
        TcpEndpoint client;
        std::optional<TcpEndpoint> server;
        GatewayNo gateway;
        bool has_server_answered = false;
        bool is_over = false;
    };

    void serve(Flow& flow, Instant now);
    void conclude(Flow& flow, Instant now);
    void flush(Flow& flow, Instant now);

    Environment& environment_;
    Verdict& verdict_;
    Ways ways_;
    std::map<Ends, Flow> flows_;
    std::uint32_t next_sequence_ = 1'000'000;
};

}  // namespace culvert::model
