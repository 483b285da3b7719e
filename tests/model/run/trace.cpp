#include "tests/model/run/trace.h"

#include <array>

#include <fmt/format.h>

#include "culvert/base/enumerators.h"
#include "culvert/base/overloaded.h"
#include "culvert/packet/ip_packet.h"
#include "culvert/portal_api/codec.h"
#include "culvert/stun/constants.h"
#include "tests/model/scenario/enumerators.h"
#include "tests/model/scenario/ignores.h"
#include "tests/model/scenario/script.h"

namespace culvert::model {
namespace {

std::string_view stun_method(unsigned method) {
    switch (method) {
        case 1:
            return "binding";
        case 3:
            return "allocate";
        case 4:
            return "refresh";
        case 8:
            return "create-permission";
        case 9:
            return "channel-bind";
        default:
            return "unknown method";
    }
}

std::string summarise_stun(ByteSpan payload) {
    constexpr std::array<std::string_view, 4> kClasses = {"request", "indication", "success", "error"};
    const unsigned type = load_be<std::uint16_t>(payload);
    const auto method = (type & 0xfU) | (type >> 1 & 0x70U) | (type >> 2 & 0xf80U);
    const auto cls = (type >> 4 & 1U) | (type >> 7 & 2U);
    return fmt::format("STUN {} {}", stun_method(method), kClasses[cls]);
}

std::string summarise_wireguard(ByteSpan payload) {
    constexpr std::array<std::string_view, 5> kKinds = {"", "initiation", "response", "cookie reply", "data"};
    const auto kind = std::to_integer<std::size_t>(payload.front());
    return fmt::format("WireGuard {} {}", kind < kKinds.size() ? kKinds[kind] : "?", payload.size());
}

std::string text_of(const portal_api::ToDevice& message) {
    return portal_api::encode_to_device(message, portal_api::Dialect::kV1);
}
std::string text_of(const portal_api::FromDevice& message) {
    return portal_api::encode_from_device(message, portal_api::Dialect::kV1, 0);
}

/// So much of it that it is known for what it is.
std::string summary_of(std::string message) {
    constexpr std::size_t kShown = 160;
    if (message.size() > kShown) {
        message.resize(kShown);
        message += "...";
    }
    return message;
}

/// As it stands in a script.
std::string line_of(const Step& step) {
    auto script = to_script(Scenario{.setup = {}, .steps = {step}});
    script.pop_back();
    return script.substr(script.rfind('\n') + 1);
}

std::string fields_text(const std::vector<log::TextField>& fields) {
    std::string text;
    for (const auto& field : fields) {
        text += fmt::format(" {}={}", field.key, field.value);
    }
    return text;
}

std::string line_of(const Observation& observation) {
    return std::visit(
        overloaded{
            [](const ActionTaken& o) {
                return fmt::format("ACTION {}{}", line_of(o.step), o.is_effective ? "" : " (no effect)");
            },
            [](const ProcessChanged& o) {
                return fmt::format("{} {}{}", name(o.process), name_of(o.state), o.is_crash ? " (crash)" : "");
            },
            [](const HostAttached& o) {
                std::string text = name(o.host) + " attached with";
                for (const auto& address : o.addresses) {
                    text += " " + address.to_string();
                }
                return text;
            },
            [](const NatReplaced& o) { return name(o.host) + " is behind another NAT"; },
            [](const FaultChanged& o) {
                return fmt::format("FAULT {} at {} {}", o.name, name(o.process), o.is_active ? "begins" : "ends");
            },
            [](const DatagramSent& o) {
                return fmt::format("{} sends {} > {}: {}", name(o.host), o.from.to_string(), o.to.to_string(),
                                   summarise_datagram(o.payload));
            },
            [](const DatagramReceived& o) {
                return fmt::format("{} receives {} > {}: {}{}", name(o.host), o.from.to_string(), o.to.to_string(),
                                   summarise_datagram(o.payload), o.is_attack ? " (attack)" : "");
            },
            [](const AttackHandled& o) { return name(o.host) + " has dealt with the attack"; },
            [](const PacketSubmitted& o) {
                return fmt::format("{} application sends {}", name(o.client), summarise_packet(o.packet));
            },
            [](const PacketDelivered& o) {
                return fmt::format("{} application receives {}", name(o.client), summarise_packet(o.packet));
            },
            [](const PacketForwarded& o) {
                return fmt::format("{} forwards {}", name(o.gateway), summarise_packet(o.packet));
            },
            [](const PacketReturned& o) {
                return fmt::format("{} gets back {}", name(o.gateway), summarise_packet(o.packet));
            },
            [](const PacketForged& o) {
                return fmt::format("{} forges for {}: {}", name(o.client), name(o.gateway), summarise_packet(o.packet));
            },
            [](const PacketBetrayed& o) {
                return fmt::format("{} betrays {}: {}", name(o.gateway), name(o.client), summarise_packet(o.packet));
            },
            [](const TransferStarted& o) {
                return fmt::format("{} transfer of {} bytes begins: {} {} {}", name(o.transfer.client),
                                   o.transfer.bytes, o.client.to_string(), o.transfer.is_upload ? ">" : "<",
                                   o.server.to_string());
            },
            [](const TransferEnded& o) {
                return fmt::format("{} transfer {}: {}", name(o.transfer.client), o.client.to_string(),
                                   o.is_complete ? "complete" : "failed");
            },
            [](const SessionOpened& o) {
                return fmt::format("portal session of {} id {} key {}", name(o.device), o.id.to_string(),
                                   o.public_key.to_string().substr(0, 8));
            },
            [](const SessionClosed& o) {
                return fmt::format("portal session of {} ends: {}", name(o.device), o.reason);
            },
            [](const MessageToDevice& o) {
                return fmt::format("portal to {}: {}", name(o.device), summary_of(text_of(o.message)));
            },
            [](const MessageToPortal& o) {
                return fmt::format("{} to portal: {}", name(o.device), summary_of(text_of(o.message)));
            },
            [](const DeviceFailed& o) {
                return fmt::format("{} ends: {}", name(o.device),
                                   kEnumeratorNames<portal_channel::FatalCause>[static_cast<std::size_t>(o.cause)]);
            },
            [](const InterfaceConfigured& o) {
                std::string text = name(o.device) + " interface " + o.config.ipv4.to_string() + " " +
                                   o.config.ipv6.to_string() + " routes";
                for (const auto& route : o.config.ipv4_routes) {
                    text += " " + route.to_string();
                }
                for (const auto& route : o.config.ipv6_routes) {
                    text += " " + route.to_string();
                }
                return text;
            },
            [](const ResourcesListed& o) {
                std::string text = name(o.client) + " lists";
                for (const auto& resource : o.resources) {
                    text +=
                        fmt::format(" {}={}({})", resource.name, resource.address, tunnel::to_string(resource.status));
                }
                return text;
            },
            [](const LogLine& o) {
                return fmt::format("{} log {} {}: {}{}", name(o.process), name_of(o.level), o.target, o.message,
                                   fields_text(o.fields));
            },
            [](const Settled&) { return std::string{"SETTLED"}; },
            [](const StatesShown&) { return std::string{"STATES COMPARED"}; },
        },
        observation);
}

}  // namespace

std::string time_text(Instant now) {
    const auto since = now.time_since_epoch() - std::chrono::hours{1};
    return fmt::format("{:.6f}", std::chrono::duration<double>(since).count());
}

std::string summarise_packet(ByteSpan bytes) {
    auto copy = to_bytes(bytes);
    const auto packet = packet::IpPacket::parse(copy);
    if (!packet) {
        return fmt::format("no IP packet, {} bytes", bytes.size());
    }
    const auto ends = fmt::format("{} > {}", packet->source().to_string(), packet->destination().to_string());
    if (packet->is_icmp()) {
        return fmt::format("icmp {}/{} {} rest {:#x}", packet->icmp_type(), packet->icmp_code(), ends,
                           load_be<std::uint32_t>(packet->l4().subspan(4)));
    }
    if (packet->is_udp() || packet->is_tcp()) {
        return fmt::format("{} {} ports {} > {}", packet->is_udp() ? "udp" : "tcp", ends, packet->source_port(),
                           packet->destination_port());
    }
    return fmt::format("protocol {} {}", packet->protocol(), ends);
}

std::string summarise_datagram(ByteSpan payload) {
    if (payload.size() >= 20 && load_be<std::uint32_t>(payload.subspan(4)) == stun::kMagicCookie &&
        (std::to_integer<unsigned>(payload[0]) & 0xc0U) == 0) {
        return summarise_stun(payload);
    }
    if (payload.size() >= 4 && (std::to_integer<unsigned>(payload[0]) & 0xc0U) == 0x40U) {
        return fmt::format("channel {:#x}: {}", load_be<std::uint16_t>(payload),
                           summarise_datagram(payload.subspan(4)));
    }
    if (payload.size() >= 4) {
        return summarise_wireguard(payload);
    }
    return fmt::format("{} bytes", payload.size());
}

void TraceWriter::observe(const Observation& observation, Instant now) {
    write_(time_text(now) + " " + line_of(observation));
}

void TraceHash::mix(std::uint64_t number) {
    hash_ = (hash_ ^ number) * 0x100000001b3ULL;
    hash_ ^= hash_ >> 29;
}

void TraceHash::mix(ByteSpan bytes) {
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        mix(load_le<std::uint64_t>(bytes));
    }
    for (const auto byte : bytes) {
        mix(std::to_integer<std::uint64_t>(byte));
    }
}

void TraceHash::observe(const Observation& observation, Instant now) {
    mix(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    mix(observation.index());
    std::visit(
        overloaded{[&](const DatagramSent& o) { mix(o.payload); }, [&](const DatagramReceived& o) { mix(o.payload); },
                   [&](const PacketSubmitted& o) { mix(o.packet); }, [&](const PacketDelivered& o) { mix(o.packet); },
                   [&](const PacketForwarded& o) { mix(o.packet); }, [&](const PacketReturned& o) { mix(o.packet); },
                   [&](const PacketForged& o) { mix(o.packet); }, [&](const PacketBetrayed& o) { mix(o.packet); },
                   [&](const SessionOpened& o) { mix(o.public_key.bytes); },
                   [&](const LogLine& o) { mix(as_bytes(o.message)); },
                   [&](const MessageToPortal& o) { mix(as_bytes(text_of(o.message))); },
                   [&](const MessageToDevice& o) { mix(as_bytes(text_of(o.message))); },
                   ignores<ActionTaken, ProcessChanged, HostAttached, NatReplaced, FaultChanged, AttackHandled,
                           TransferStarted, TransferEnded, SessionClosed, DeviceFailed, InterfaceConfigured,
                           ResourcesListed, Settled, StatesShown>},
        observation);
}

}  // namespace culvert::model
