#include "culvert/connectivity/decapsulate_error.h"

namespace culvert::connectivity {

std::string_view to_text(DecapsulateError::Kind kind) {
    using enum DecapsulateError::Kind;
    switch (kind) {
        case kTooLong:
            return "datagram is too long";
        case kUnknownRelay:
            return "not from a relay in use";
        case kUnknownChannel:
            return "channel is not bound";
        case kUnknownStun:
            return "STUN message for no connection";
        case kNotWireGuard:
            return "not a WireGuard packet";
        case kUnknownPeer:
            return "handshake of an unknown peer";
        case kUnknownIndex:
            return "unknown receiver index";
        case kHandshake:
            return "handshake refused";
        case kDecryption:
            return "data packet refused";
    }
    return "";
}

}  // namespace culvert::connectivity
