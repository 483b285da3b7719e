#include "culvert/tunnel/names/name_setups.h"

#include <algorithm>

#include "culvert/observability/log.h"
#include "culvert/tunnel/names/constants.h"
#include "culvert/tunnel/p2p/control_packet.h"

namespace culvert::tunnel {
namespace {

constexpr log::Logger kLog{"tunnel"};

/// nullopt: there is no such message.
std::optional<Bytes> make_message(const NameSetups::Assignment& assignment) {
    const auto count = assignment.proxy_ips.size();
    if (count != kMaxProxyIps && count != kMaxProxyIps / 2) {
        return std::nullopt;
    }
    const p2p::AssignedIps message{
        .resource = assignment.resource, .domain = assignment.domain.to_string(), .proxy_ips = assignment.proxy_ips};
    return p2p::make_control_packet(p2p::EventType::kAssignedIps, as_bytes(p2p::encode(message)));
}

}  // namespace

// --- Inputs ---

void NameSetups::update(const GatewayId& gateway, const Assignment& assignment, std::vector<Bytes> packets,
                        Instant now) {
    const Key key{gateway, assignment.resource, assignment.domain};
    auto found = setups_.find(key);
    if (found == setups_.end()) {
        auto message = make_message(assignment);
        if (!message) {
            kLog.warn("Cannot tell a gateway about a name", log::field("gid", gateway),
                      log::field("rid", assignment.resource));
            return;
        }
        found = setups_.try_emplace(key).first;
        found->second.message = std::move(*message);
        begin(found, std::move(packets), now);
        return;
    }
    auto& setup = found->second;
    switch (setup.state) {
        case State::kPending:
            if (setup.should_buffer) {
                for (const auto& packet : packets) {
                    static_cast<void>(buffer(found, packet));
                }
            } else {
                pass_on(gateway, std::move(packets));
            }
            send_if_old(found, now);
            break;
        case State::kRecreating:
            if (auto message = make_message(assignment)) {
                setup.message = std::move(*message);
            }
            begin(found, std::move(packets), now);
            break;
        case State::kConfirmed:
        case State::kFailed:  // the gateway answers them
            pass_on(gateway, std::move(packets));
            break;
    }
}

bool NameSetups::recreate(const GatewayId& gateway, const NameOf& name) {
    const auto found = setups_.find({gateway, name.resource, name.domain});
    return found != setups_.end() && recreate(found->second);
}

void NameSetups::recreate(const ResourceId& resource) {
    for (auto& [key, setup] : setups_) {
        if (key.resource == resource) {
            recreate(setup);
        }
    }
}

bool NameSetups::recreate(Setup& setup) {
    if (setup.state == State::kConfirmed || setup.state == State::kFailed) {
        setup.should_buffer = setup.state == State::kFailed;
        setup.state = State::kRecreating;
        return setup.should_buffer;
    }
    return false;
}

bool NameSetups::is_told(const GatewayId& gateway, const NameOf& name) const {
    return setups_.contains({gateway, name.resource, name.domain});
}

bool NameSetups::holds(const GatewayId& gateway, const NameOf& name) const {
    const auto found = setups_.find({gateway, name.resource, name.domain});
    return found != setups_.end() && found->second.state == State::kPending && found->second.should_buffer;
}

NameSetups::Outcome NameSetups::handle_outgoing(const GatewayId& gateway, const NameOf& name, ByteSpan packet,
                                                Instant now) {
    const auto found = setups_.find({gateway, name.resource, name.domain});
    if (found == setups_.end() || found->second.state != State::kPending) {
        return Outcome::kPass;
    }
    auto outcome = Outcome::kPass;
    if (found->second.should_buffer) {
        outcome = buffer(found, packet) ? Outcome::kBuffered : Outcome::kDropped;
    }
    send_if_old(found, now);
    return outcome;
}

void NameSetups::handle_status(const GatewayId& gateway, const p2p::DomainStatus& status) {
    const auto domain = dns::Name::parse(status.domain);
    const auto found = domain ? setups_.find({gateway, status.resource, *domain}) : setups_.end();
    if (found == setups_.end()) {
        kLog.debug("A gateway speaks of a name that it was not told", log::field("gid", gateway));
        return;
    }
    auto& setup = found->second;
    schedule(found, std::nullopt);
    if (status.status == p2p::NatStatus::kActive) {
        setup.state = State::kConfirmed;
        for (std::size_t i = 0; i < setup.packets.size(); ++i) {
            outputs_.push_back({gateway, to_bytes(setup.packets[i])});
        }
    } else {
        kLog.debug("A gateway does not know a name", log::field("gid", gateway), log::field("rid", status.resource),
                   log::field("domain", *domain));
        setup.state = State::kFailed;
    }
    empty_buffer(setup);
}

void NameSetups::forget_gateway(const GatewayId& gateway) {
    for (auto it = setups_.begin(); it != setups_.end();) {
        it = it->first.gateway == gateway ? erase(it) : std::next(it);
    }
    std::erase_if(outputs_, [&](const Output& output) { return output.gateway == gateway; });
}

void NameSetups::forget_resource(const ResourceId& resource) {
    for (auto it = setups_.begin(); it != setups_.end();) {
        it = it->first.resource == resource ? erase(it) : std::next(it);
    }
}

void NameSetups::clear() {
    setups_.clear();
    repeats_.clear();
    outputs_.clear();
    buffered_ = 0;
}

// --- Time and outputs ---

void NameSetups::handle_timeout(Instant now) {
    while (!repeats_.empty() && repeats_.begin()->first <= now) {
        const auto found = setups_.find(repeats_.begin()->second);
        --found->second.repeats_left;
        send(found, now);
    }
}

std::optional<Instant> NameSetups::poll_timeout() const {
    return repeats_.empty() ? std::nullopt : std::optional{repeats_.begin()->first};
}

std::optional<NameSetups::Output> NameSetups::poll_output() {
    if (outputs_.empty()) {
        return std::nullopt;
    }
    std::optional output{std::move(outputs_.front())};
    outputs_.pop_front();
    return output;
}

// --- One name at one gateway ---

void NameSetups::begin(Setups::iterator it, std::vector<Bytes> packets, Instant now) {
    auto& setup = it->second;
    setup.state = State::kPending;
    setup.repeats_left = kAssignedIpsRepeats;
    setup.packets = PacketBuffer{kNamePackets};
    kLog.debug("Telling a gateway about a name", log::field("gid", it->first.gateway),
               log::field("rid", it->first.resource), log::field("domain", it->first.domain));
    if (setup.should_buffer) {
        for (const auto& packet : packets) {
            static_cast<void>(buffer(it, packet));
        }
        send(it, now);
    } else {
        send(it, now);
        pass_on(it->first.gateway, std::move(packets));
    }
}

void NameSetups::send_if_old(Setups::iterator it, Instant now) {
    if (now - it->second.sent_at >= kAssignedIpsInterval) {
        send(it, now);
    } else if (!it->second.repeats_at) {
        schedule(it, it->second.sent_at + kAssignedIpsInterval);
    }
}

void NameSetups::send(Setups::iterator it, Instant now) {
    auto& setup = it->second;
    outputs_.push_back({it->first.gateway, setup.message});
    setup.sent_at = now;
    schedule(it, now + kAssignedIpsInterval);
}

/// While nothing waits and nothing goes on, nobody needs the name: the next packet to it repeats the message.
void NameSetups::schedule(Setups::iterator it, std::optional<Instant> at) {
    auto& setup = it->second;
    if (setup.repeats_at) {
        repeats_.erase({*setup.repeats_at, it->first});
    }
    const bool is_used = !setup.packets.empty() || !setup.should_buffer;
    const bool repeats = at && setup.repeats_left > 0 && is_used;
    setup.repeats_at = repeats ? at : std::nullopt;
    if (repeats) {
        repeats_.emplace(*at, it->first);
    }
}

bool NameSetups::buffer(Setups::iterator it, ByteSpan packet) {
    if (buffered_ >= kAllNamesPackets) {
        return false;
    }
    auto& packets = it->second.packets;
    const auto before = packets.size();
    packets.push(packet);
    buffered_ += packets.size() - before;
    return true;
}

void NameSetups::empty_buffer(Setup& setup) {
    buffered_ -= setup.packets.size();
    setup.packets = PacketBuffer{1};
}

void NameSetups::pass_on(const GatewayId& gateway, std::vector<Bytes> packets) {
    for (auto& packet : packets) {
        outputs_.push_back({gateway, std::move(packet)});
    }
}

NameSetups::Setups::iterator NameSetups::erase(Setups::iterator it) {
    schedule(it, std::nullopt);
    empty_buffer(it->second);
    return setups_.erase(it);
}

}  // namespace culvert::tunnel
