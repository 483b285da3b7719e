#pragma once

#include <cstdint>
#include <string_view>

namespace culvert::tunnel {

/// Why a packet may not pass.
enum class Refusal : std::uint8_t {
    /// No resource covers the address, or none of its filters is about the protocol.
    kNoFilter,
    kTcpPort,
    kUdpPort,
    kIcmp,
    /// The client does not own the source address.
    kSpoofedSource,
    /// Clients do not reach each other through a gateway.
    kPeerAddress,
    /// An address that no resource can have.
    kReservedAddress,
    /// The gateway's own address, which answers echo requests and nothing else.
    kGatewayItself,
    /// A private network, which the Internet Resource is not about.
    kPrivateAddress,
    /// A proxy IP that nothing is translated to.
    kNoTranslation,
    /// To a name, and the packets that answer could not be told from those of another flow of the client.
    kPortTaken,
    /// To a name, and a part of a connection that there is none of.
    kNoSession,
    /// From a resource or the gateway itself, and part of nothing that the client asked for.
    kUnasked,
    /// Another client opens flows faster than it may.
    kTooManyFlows,
    /// From a resource, and of an ICMP type that answers nothing; or from a client, and of an ICMP type whose answers
    /// could not be told apart from those to others, or to a name and not to be translated.
    kNoL4Value,
};

/// For the log, and for the metric `network.packet.dropped` (spec/tunnel.md section 9).
[[nodiscard]] std::string_view to_text(Refusal refusal);

}  // namespace culvert::tunnel
