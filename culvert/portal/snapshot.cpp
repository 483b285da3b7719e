// The state of the control plane as text.

#include "culvert/base/snapshot.h"
#include "culvert/base/overloaded.h"
#include "culvert/crypto/fingerprint.h"
#include "culvert/portal/control_plane.h"

namespace culvert::portal {

template <typename Row>
void BasicGrantedFlows<Row>::describe(Snapshot& out) const {
    for (const auto& [pair, flows] : flows_) {
        for (const auto& [id, flow] : flows) {
            out.line("flow")
                .field("id", id)
                .field("client", pair.first)
                .field("resource", pair.second)
                .field("expires", flow.expires_at);
        }
    }
}

template void BasicGrantedFlows<Flow>::describe(Snapshot& out) const;
template void BasicGrantedFlows<DeviceFlow>::describe(Snapshot& out) const;

void RelayPresence::describe(Snapshot& out) const {
    const auto describe_stamp = [&](const RelayId& id, const Stamp& stamp) {
        out.field("id", id)
            .field("secret", crypto::fingerprint(as_bytes(stamp.secret)))
            .field("v4", stamp.v4)
            .field("v6", stamp.v6);
    };
    for (const auto& [id, processes] : online_) {
        for (const auto& process : processes) {
            out.line("relay").field("session", process.session);
            describe_stamp(id, process.stamp);
        }
    }
    for (const auto& [session, device] : devices_) {
        out.line("relays_of").field("session", session).field("expires", device.user.expires_at).nested([&] {
            for (const auto& [id, assignment] : device.assigned) {
                out.line("assigned")
                    .field("expires", assignment.expires_at)
                    .field("counts_until", assignment.counts_until);
                describe_stamp(id, assignment.stamp);
            }
            for (const auto& [id, at] : device.leaving) {
                out.line("leaving").field("id", id).field("at", at);
            }
        });
    }
    out.line("pushes").field("count", pushes_.size());
}

void TurnUserRules::describe(Snapshot& out) const {
    const auto describe_users = [&](std::string_view name, const auto& users) {
        for (const auto& [salt, until] : users) {
            out.line(name).field("salt", salt).field("until", until);
        }
    };
    describe_users("revoked_user", revoked_);
    describe_users("extended_user", extended_);
}

void ControlPlane::describe(Snapshot& out, const Session& session) {
    out.field("joined", session.is_joined).field("expires", session.expires_at).field("ends", session.ends_at);
    std::visit(overloaded{
                   [&](const ConnectedClient& client) {
                       out.field("client", client.device.id)
                           .field("public_key", client.device.public_key)
                           .field("psk_base", crypto::fingerprint(client.device.psk_base))
                           .nested([&] {
                               for (const auto& [id, resource] : client.resources) {
                                   out.line("resource").field("id", id);
                               }
                               for (const auto& [id, pool] : client.pools) {
                                   out.line("pool").field("id", id).field("devices", pool->devices.size());
                               }
                               client.inbound.describe(out);
                           });
                   },
                   [&](const ConnectedGateway& gateway) {
                       out.field("gateway", gateway.device.id)
                           .field("public_key", gateway.device.public_key)
                           .field("psk_base", crypto::fingerprint(gateway.device.psk_base))
                           .nested([&] { gateway.flows.describe(out); });
                   },
                   [&](const ConnectedRelay& relay) { out.field("relay", relay.device.id); },
               },
               session.state);
}

std::string ControlPlane::debug_snapshot(Instant now) const {
    Snapshot out{now};
    out.line("control_plane")
        .field("outputs", outputs_.size())
        .field("storage_errors_quiet_until", storage_errors_quiet_until_);
    due_.describe(out);
    out.nested([&] {
        for (const auto& [id, session] : sessions_) {
            out.line("session").field("id", id);
            describe(out, session);
        }
        const auto describe_presence = [&](std::string_view name, const auto& presence) {
            for (const auto& [device, sessions] : presence.all()) {
                for (const auto session : sessions) {
                    out.line(name).field("id", device).field("session", session);
                }
            }
        };
        describe_presence("client_online", clients_);
        describe_presence("gateway_online", gateways_);
        signalled_candidates_.describe(out);
        relays_.describe(out);
        turn_users_.describe(out);
        pending_.describe(out);
        held_.describe(out);
    });
    return out.text();
}

}  // namespace culvert::portal
