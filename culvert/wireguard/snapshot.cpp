// The state of this folder's objects as text.

#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/wireguard/tunnel.h"

namespace culvert::wireguard {

void Timers::describe(Snapshot& out) const {
    out.line("timers").field("sent_data", sent_data_).field("received_data", received_data_);
    due_.describe(out);
}

void Session::describe(Snapshot& out) const {
    out.line("session")
        .field("role", role_)
        .field("local_index", local_index_)
        .field("peer_index", peer_index_)
        .field("confirmed", confirmed_)
        .field("established", established_at_)
        .field("stops_sending", stops_sending_at_)
        .field("next_counter", next_counter_);
}

void Tunnel::describe(Snapshot& out) const {
    out.line("tunnel")
        .field("peer", identities_.peer)
        .field("preshared_key", crypto::fingerprint(identities_.preshared))
        .field("index", id24_)
        .field("last_handshake", last_handshake_at_)
        .field("outstanding", outstanding_ ? std::optional{outstanding_->index} : std::nullopt)
        .field("previous", previous_ ? std::optional{previous_->index} : std::nullopt)
        .field("queued", queue_.size())
        .field("transmits", transmits_.size())
        .field("expired", expired_)
        .nested([&] {
            timers_.describe(out);
            for (const auto& session : sessions_) {
                if (session != nullptr) {
                    session->describe(out);
                    out.field("current", session.get() == current_);
                }
            }
        });
}

}  // namespace culvert::wireguard
