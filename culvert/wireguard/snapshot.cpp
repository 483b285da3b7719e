// The state of this folder's objects, and as text.

#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert::wireguard {

void Timers::describe(Snapshot& out) const {
    out.line("timers").field("sent_data", sent_data_).field("received_data", received_data_);
    due_.describe(out);
}

SessionState Session::state() const {
    return {role_, local_index_, peer_index_, confirmed_, established_at_, stops_sending_at_, next_counter_};
}

TunnelState Tunnel::state() const {
    TunnelState state{identities_.peer, crypto::fingerprint(identities_.preshared), {}};
    for (const auto& session : sessions_) {
        if (session != nullptr) {
            state.sessions.push_back(session->state());
            state.sessions.back().is_current = session.get() == current_;
        }
    }
    return state;
}

void Tunnel::describe(Snapshot& out) const {
    const auto state = this->state();
    out.line("tunnel")
        .field("peer", state.peer)
        .field("preshared_key", state.preshared_key)
        .field("index", id24_)
        .field("last_handshake", last_handshake_at_)
        .field("outstanding", outstanding_ ? std::optional{outstanding_->index} : std::nullopt)
        .field("previous", previous_ ? std::optional{previous_->index} : std::nullopt)
        .field("queued", queue_.size())
        .field("transmits", transmits_.size())
        .field("expired", expired_)
        .nested([&] {
            timers_.describe(out);
            for (const auto& session : state.sessions) {
                out.line("session")
                    .field("role", session.role)
                    .field("local_index", session.local_index)
                    .field("peer_index", session.peer_index)
                    .field("confirmed", session.is_confirmed)
                    .field("established", session.established_at)
                    .field("stops_sending", session.stops_sending_at)
                    .field("next_counter", session.next_counter)
                    .field("current", session.is_current);
            }
        });
}

}  // namespace culvert::wireguard
