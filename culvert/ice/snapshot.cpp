// The state of this folder's objects as text.

#include "culvert/base/snapshot.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/ice/agent.h"

namespace culvert::ice {

void CandidatePair::describe(Snapshot& out) const {
    out.line("pair")
        .field("local", local_.address)
        .field("base", local_.base)
        .field("remote", remote_.address)
        .field("kinds", std::string{to_text(local_.kind)} + '/' + std::string{to_text(remote_.kind)})
        .field("priority", priority_)
        .field("nomination", nomination_)
        .field("succeeded", has_succeeded_)
        .field("triggered", triggered_)
        .field("next_check", next_check_)
        .field("exhausted", exhausted_at_)
        .nested([&] {
            for (const auto& check : checks_) {
                out.line("check")
                    .field("id", to_hex(check.id))
                    .field("sent", check.sent_at)
                    .field("answered", check.is_answered);
            }
        });
}

void Agent::describe(Snapshot& out) const {
    out.line("agent")
        .field("role", role_)
        .field("state", to_text(state_))
        .field("tag", tag_)
        .field("local_ufrag", local_.username)
        .field("local_password", crypto::fingerprint(as_bytes(local_.password)))
        .field("remote_ufrag", remote_.username)
        .field("remote_password", crypto::fingerprint(as_bytes(remote_.password)))
        .field("transmits", transmits_.size())
        .field("events", events_.size());
    due_.describe(out);
    const auto describe_candidates = [&](std::string_view name, const CandidateSet& side) {
        for (const auto& entry : side.entries()) {
            out.line(name)
                .field("id", entry.id)
                .field("candidate", to_string(entry.candidate))
                .field("discarded", entry.is_discarded);
        }
    };
    out.nested([&] {
        describe_candidates("local", locals_);
        describe_candidates("remote", remotes_);
        for (const auto& pair : checklist_.pairs()) {
            pair.describe(out);
        }
        if (nominated_) {
            out.line("nominated").field("source", nominated_->source).field("destination", nominated_->destination);
        }
        if (peer_path_) {
            out.line("peer_path").field("source", peer_path_->source).field("destination", peer_path_->destination);
        }
    });
}

}  // namespace culvert::ice
