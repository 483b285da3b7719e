#include "culvert/wireguard/error.h"

namespace culvert::wireguard {

std::string_view to_string(Error error) {
    switch (error) {
        case Error::kNotWireGuard:
            return "not a WireGuard packet";
        case Error::kBadMac:
            return "wrong MAC1";
        case Error::kUnderLoad:
            return "under load, a cookie is needed";
        case Error::kTooManyHandshakes:
            return "too many handshakes of one peer or address";
        case Error::kWrongPeer:
            return "handshake of another peer";
        case Error::kOldTimestamp:
            return "replayed initiation";
        case Error::kUnknownIndex:
            return "unknown receiver index";
        case Error::kBadTag:
            return "authentication failed";
        case Error::kReplayed:
            return "replayed packet";
        case Error::kBadInnerPacket:
            return "no IP packet inside";
        case Error::kExpired:
            return "tunnel expired";
    }
    return "unknown";
}

}  // namespace culvert::wireguard
