#include "culvert/tunnel/refusal.h"

namespace culvert::tunnel {

std::string_view to_text(Refusal refusal) {
    switch (refusal) {
        case Refusal::kNoFilter:
            return "No filter";
        case Refusal::kTcpPort:
            return "TCP port is not in allowed range";
        case Refusal::kUdpPort:
            return "UDP port is not in allowed range";
        case Refusal::kIcmp:
            return "ICMP not allowed";
        case Refusal::kSpoofedSource:
            return "Source is not the client";
        case Refusal::kPeerAddress:
            return "Other peers are out of reach";
        case Refusal::kReservedAddress:
            return "No resource has the address";
        case Refusal::kGatewayItself:
            return "Not for the gateway itself";
        case Refusal::kNoTranslation:
            return "No translation";
        case Refusal::kPrivateAddress:
            return "Private networks are not the Internet";
        case Refusal::kPortTaken:
            return "Another flow has the same ports";
        case Refusal::kNoSession:
            return "Part of no connection";
        case Refusal::kUnasked:
            return "Answers nothing that the client sent";
        case Refusal::kTooManyFlows:
            return "Opens flows too fast";
        case Refusal::kNoL4Value:
            return "Unsupported protocol or ICMP type";
    }
    return "";
}

}  // namespace culvert::tunnel
