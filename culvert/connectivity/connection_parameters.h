#pragma once

#include "culvert/crypto/keys.h"
#include "culvert/ice/agent.h"

namespace culvert::connectivity {

/// What must agree for an existing connection to be kept by an upsert (spec/connectivity.md section 8.1).
struct ConnectionParameters {
    crypto::PublicKey peer;
    crypto::PresharedKey preshared_key;
    ice::Credentials local;
    ice::Credentials remote;
    /// Who controls ICE also initiates WireGuard.
    ice::AgentRole role;
    /// Whether the peer is a client, of a gateway or of another client.
    bool is_with_client;
    /// Whether the peer and this node are both clients, so that either may have packets before there is a path.
    bool is_between_clients;

    friend bool operator==(const ConnectionParameters&, const ConnectionParameters&) = default;
};

}  // namespace culvert::connectivity
