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
        case Refusal::kNoTranslation:
            return "No translation";
        case Refusal::kNoL4Value:
            return "Unsupported protocol or ICMP type";
    }
    return "";
}

}  // namespace culvert::tunnel
