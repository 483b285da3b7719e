#include "tests/model/world/portal_link.h"

#include <algorithm>
#include <array>

#include "culvert/base/overloaded.h"
#include "culvert/portal/constants.h"
#include "culvert/portal_api/codec.h"
#include "culvert/portal_api/user_agent.h"
#include "culvert/portal_channel/constants.h"
#include "culvert/turn/constants.h"
#include "tests/model/world/newer_frame.h"

namespace culvert::model {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSlowRate = 2000;
using turn::kRelayPort;
/// One link of so many is between generations.
constexpr std::uint64_t kLinksPerNewerOne = 6;

/// Which the portal goes by (spec/newer-dialect.md sections 1, 2.4 and 8).
struct Versions {
    std::string_view client;
    std::string_view gateway;
};
constexpr std::array<Versions, 5> kVersions = {
    {{"1.5.5", "1.4.18"},
     {"1.5.9", "1.5.2"},
     {"1.5.11", "1.6.0"},
     {"1.5.12", "1.6.1"},
     {portal_api::kClientProtocolVersion, portal_api::kGatewayProtocolVersion}}};

void keep_earliest(std::optional<Instant>& earliest, std::optional<Instant> other) {
    if (other && (!earliest || *other < *earliest)) {
        earliest = other;
    }
}

std::string number_of(const Device& device) {
    return std::visit([](auto number) { return std::to_string(number.value); }, device);
}

}  // namespace

PortalLink::PortalLink(Device device, portal_api::Role role, PortalProcess& portal, Environment& environment,
                       Verdict& verdict)
    : device_{device}, role_{role}, portal_{portal}, environment_{environment}, verdict_{verdict} {
    auto rng = environment.rng("newer/" + std::to_string(device.index()) + "/" + number_of(device));
    if (rng.below(kLinksPerNewerOne) == 0) {
        newer_rng_ = std::move(rng);
    }
    auto own = environment.rng("dialect/" + std::to_string(device.index()) + "/" + number_of(device));
    // One portal of so many is of 2025, and one has forgotten that year.
    switch (environment.rng("portal/dialect").below(4)) {
        case 0:
            paths_ = Paths::kOlder;
            break;
        case 1:
            paths_ = Paths::kNewer;
            break;
        default:
            // And where there are both paths, some devices know the old one only: their 404 is their own.
            if (own.below(3) == 0) {
                paths_ = Paths::kOlder;
            }
            break;
    }
    const std::array<Generation, 3> choices = paths_ == Paths::kOlder
                                                  ? std::array{Generation::kA, Generation::kB, Generation::kOurs}
                                                  : std::array{Generation::kC, Generation::kD, Generation::kOurs};
    generation_ = choices.at(own.below(choices.size()));
}

void PortalLink::open(portal_channel::PhoenixChannel channel) {
    channel_.emplace(std::move(channel));
    events_.clear();
}

void PortalLink::close(Instant now) {
    drop(now);
    channel_.reset();
    events_.clear();
}

// --- The network ---

bool PortalLink::has_path(portal_api::Dialect dialect) const {
    return paths_ != (dialect == portal_api::Dialect::kV1 ? Paths::kNewer : Paths::kOlder);
}

bool PortalLink::is_black_hole() const {
    return !is_attached_ || fault_ == PortalFault::kBlackHole || fault_ == PortalFault::kHalfOpen;
}

void PortalLink::set_attached(bool is_attached) {
    is_attached_ = is_attached;
    for (auto& connection : connections_) {
        connection.is_orphaned = true;
        connection.up.stall();
        connection.down.stall();
        if (!connection.session) {
            connection.request_arrives.reset();  // the request, or its answer, is lost
        }
    }
}

void PortalLink::set_fault(std::optional<PortalFault> fault, Instant now) {
    fault_ = fault;
    for (auto& connection : connections_) {
        if (connection.is_orphaned) {
            continue;
        }
        const auto rate = fault == PortalFault::kSlow ? kSlowRate : 0;
        connection.up.set_rate(rate);
        connection.down.set_rate(rate);
        const bool is_cut_off = fault == PortalFault::kBlackHole || fault == PortalFault::kCaptive;
        if (is_cut_off || fault == PortalFault::kHalfOpen) {
            connection.up.stall();
        } else {
            connection.up.resume(now);
        }
        if (is_cut_off) {
            connection.down.stall();
        } else {
            connection.down.resume(now);
        }
    }
}

void PortalLink::cut_after(std::uint32_t bytes) {
    if (!connections_.empty()) {
        connections_.back().up.cut_after(bytes);
        connections_.back().down.cut_after(bytes);
    }
}

void PortalLink::cancel_cut() {
    for (auto& connection : connections_) {
        connection.up.cancel_cut();
        connection.down.cancel_cut();
    }
}

void PortalLink::send_garbage(Instant now) {
    if (!connections_.empty() && connections_.back().session) {
        for (const auto* text : {"", "[]", "{", R"({"topic":"client","event":"create_flow","payload":[],"ref":1})",
                                 R"(["1","1","client","phx_join",{}])", "\xff\xfe"}) {
            connections_.back().up.write_frame(text, now);
        }
    }
}

void PortalLink::send_frames(const std::vector<std::string>& frames, Instant now) {
    if (connections_.empty() || !connections_.back().session) {
        return;
    }
    for (const auto& frame : frames) {
        connections_.back().up.write_frame(frame, now);
    }
}

void PortalLink::log_in_as_others(unsigned count, Instant now) {
    if (!portal_.is_running() || fault_ || !is_attached_) {
        return;
    }
    for (unsigned i = 0; i < count; ++i) {
        auto rng = Rng::from_number(++others_).child(number_of(device_));
        auto request = make_request(Connection{
            .up = BytePipe{latency_}, .down = BytePipe{latency_}, .public_key = crypto::PublicKey{rng.array<32>()}});
        request.parameters.emplace_back("external_id", "other" + number_of(device_) + "/" + std::to_string(others_));
        if (const auto accepted = portal_.connect(request, now)) {
            portal_.handle_frame(accepted->session, portal_api::encode_join(role_, 0, std::nullopt), now);
            portal_.disconnect(accepted->session, now);
        }
    }
}

// --- The portal's end ---

portal::ConnectRequest PortalLink::make_request(const Connection& connection) const {
    using Parameters = std::vector<std::pair<std::string, std::string>>;
    portal::ConnectRequest request{.role = role_,
                                   .dialect = connection.dialect,
                                   .parameters = {{"token", portal_.token(device_)}},
                                   .user_agent = {},
                                   .remote_ip = addresses_.empty() ? net::IpAddress{} : addresses_.front()};
    portal_api::UserAgent agent{"Debian", "12.0.0", "relay", "0.1.0", "", ""};
    if (role_ == portal_api::Role::kRelay) {
        for (const auto& address : addresses_) {
            request.parameters.emplace_back(address.is_v4() ? "ipv4" : "ipv6", address.to_string());
        }
        request.parameters.emplace_back("port", std::to_string(kRelayPort));
    } else {
        const bool is_client = role_ == portal_api::Role::kClient;
        agent.component = is_client ? "headless-client" : "gateway";
        const auto& versions = kVersions.at(static_cast<std::size_t>(generation_));
        agent.version = is_client ? versions.client : versions.gateway;
        const Parameters more{{"external_id", agent.component + number_of(device_)},
                              {"name", "host" + number_of(device_)},
                              {"public_key", connection.public_key->to_string()}};
        request.parameters.insert(request.parameters.end(), more.begin(), more.end());
    }
    request.user_agent = agent.to_string();
    return request;
}

void PortalLink::accept(Connection& connection, Instant now) {
    using Kind = portal_channel::DialError::Kind;
    connection.request_arrives.reset();
    connection.answer_arrives = now + latency_;
    if (!portal_.is_running() || fault_ == PortalFault::kRefused) {
        connection.refusal = {Kind::kTransient, 0, "connection refused"};
        return;
    }
    if (fault_ == PortalFault::kOverload) {
        connection.refusal = {Kind::kHttpStatus, 503, "HTTP error: 503 Service Unavailable"};
        return;
    }
    if (fault_ == PortalFault::kCaptive) {
        connection.refusal = {Kind::kHttpStatus, 302, "HTTP error: 302 Found"};
        return;
    }
    if (fault_ == PortalFault::kGarbage) {
        connection.refusal = {Kind::kTransient, 0, "bad HTTP version"};
        return;
    }
    if (role_ != portal_api::Role::kRelay && !has_path(connection.dialect)) {
        connection.refusal = {Kind::kHttpStatus, 404, "HTTP error: 404 Not Found"};
        return;
    }
    const auto accepted = portal_.connect(make_request(connection), now);
    if (!accepted) {
        const auto& refusal = accepted.error();
        connection.refusal = {.kind = Kind::kHttpStatus,
                              .status = refusal.status,
                              .text = refusal.text,
                              .code = std::string{refusal.code},
                              .retry_after = refusal.retry_after};
        return;
    }
    connection.session = accepted->session;
    connection.idle_since = now;
    environment_.observe(SessionOpened{device_, accepted->device, connection.public_key.value_or(crypto::PublicKey{})});
}

void PortalLink::read_up(Connection& connection, Instant now) {
    while (connection.session && connection.read_from <= now) {
        const auto frame = connection.up.poll_frame(now);
        if (!frame) {
            break;
        }
        connection.idle_since = now;
        if (const auto decoded = portal_api::decode_from_device(role_, connection.dialect, *frame)) {
            if (const auto* message = std::get_if<portal_api::DeviceMessageFrame>(&*decoded)) {
                environment_.observe(MessageToPortal{device_, message->message});
            }
        }
        connection.read_from = now + portal_.handle_frame(*connection.session, *frame, now);
    }
    if (connection.session && connection.up.has_ended(now)) {
        end_session(connection, "the device hung up", now);
    } else if (connection.session && now >= connection.idle_since + portal::idle_timeout(role_)) {
        end_session(connection, "the device was silent", now);
    }
}

void PortalLink::report_cut(Connection& connection) {
    if (!connection.has_reported_cut && (connection.up.was_cut() || connection.down.was_cut())) {
        connection.has_reported_cut = true;
        const auto process = std::visit([](auto number) { return Process{number}; }, device_);
        environment_.observe(FaultChanged{"portal", process, true});
        environment_.observe(FaultChanged{"portal", process, false});
    }
}

void PortalLink::end_session(Connection& connection, std::string reason, Instant now) {
    portal_.disconnect(*connection.session, now);
    connection.session.reset();
    connection.down.close(now);
    environment_.observe(SessionClosed{device_, std::move(reason)});
}

void PortalLink::drive_portal_end(Instant now) {
    for (auto& connection : connections_) {
        if (connection.request_arrives && *connection.request_arrives <= now) {
            accept(connection, now);
        }
        read_up(connection, now);
    }
    std::erase_if(connections_, [](const Connection& connection) {
        return !connection.is_device_end_open && !connection.session && !connection.request_arrives;
    });
}

bool PortalLink::handle_output(const portal::Output& output, Instant now) {
    const auto session = std::visit([](const auto& any) { return any.session; }, output);
    const auto connection =
        std::ranges::find(connections_, std::optional{session}, [](const Connection& c) { return c.session; });
    if (connection == connections_.end()) {
        return false;
    }
    std::visit(overloaded{[&](const portal::SendFrame& frame) {
                              connection->down.write_frame(to_device_text(frame.text, connection->dialect, now), now);
                              report_cut(*connection);
                          },
                          [&](const portal::CloseSession& close) {
                              connection->session.reset();
                              connection->down.close(now);
                              environment_.observe(SessionClosed{device_, close.reason});
                          }},
               output);
    return true;
}

void PortalLink::handle_portal_stopped(Instant now) {
    for (auto& connection : connections_) {
        if (connection.session) {
            connection.session.reset();
            connection.down.close(now);
            environment_.observe(SessionClosed{device_, "the portal stopped"});
        }
    }
}

bool PortalLink::has_session() const {
    return std::ranges::any_of(connections_,
                               [](const Connection& connection) { return connection.session.has_value(); });
}

portal_api::Dialect PortalLink::dialect() const {
    return connections_.empty() ? portal_api::Dialect::kV1 : connections_.back().dialect;
}

// --- The device's end ---

void PortalLink::dial(const portal_channel::Dial& wanted, Instant now) {
    auto& connection = connections_.emplace_back(Connection{.up = BytePipe{latency_},
                                                            .down = BytePipe{latency_},
                                                            .public_key = wanted.public_key,
                                                            .dialect = wanted.dialect});
    if (is_black_hole()) {
        connection.answer_arrives = now + portal_channel::kTcpConnectTimeout;
        connection.refusal = {portal_channel::DialError::Kind::kTransient, 0, "connection timed out"};
        return;
    }
    if (fault_ == PortalFault::kSlow) {
        connection.up.set_rate(kSlowRate);
        connection.down.set_rate(kSlowRate);
    }
    // There and back for TCP, and there with the upgrade request.
    connection.request_arrives = now + 3 * latency_;
}

void PortalLink::drop(Instant now) {
    if (!connections_.empty() && connections_.back().is_device_end_open) {
        connections_.back().is_device_end_open = false;
        connections_.back().request_arrives.reset();
        connections_.back().up.close(now);
    }
}

void PortalLink::carry_out_actions(Instant now) {
    while (const auto action = channel_->poll_action()) {
        std::visit(overloaded{[&](const portal_channel::Dial& wanted) { dial(wanted, now); },
                              [&](const portal_channel::Drop&) { drop(now); },
                              [&](const portal_channel::Leave&) { drop(now); },
                              [&](const portal_channel::StartClose&) {
                                  if (!connections_.empty()) {
                                      connections_.back().up.close(now);
                                  }
                              }},
                   *action);
    }
}

void PortalLink::read_down(Instant now, Instant local_now) {
    if (connections_.empty() || !connections_.back().is_device_end_open) {
        return;
    }
    auto& connection = connections_.back();
    if (connection.answer_arrives) {
        if (*connection.answer_arrives > now) {
            return;
        }
        connection.answer_arrives.reset();
        if (connection.refusal) {
            const auto refusal = *connection.refusal;
            connection.is_device_end_open = false;
            channel_->handle_dial_error(refusal, local_now);
            return;
        }
        channel_->handle_connected(local_now);
    }
    if (connection.request_arrives) {
        return;
    }
    while (const auto frame = connection.down.poll_frame(now)) {
        channel_->handle_text(*frame, local_now);
    }
    if (connection.down.has_ended(now)) {
        connection.is_device_end_open = false;
        connection.up.close(now);
        channel_->handle_connection_lost("the connection was closed", local_now);
    }
}

void PortalLink::drive_device_end(Instant now, Instant local_now) {
    if (!channel_) {
        return;
    }
    read_down(now, local_now);
    if (const auto due = channel_->poll_timeout(); due && *due <= local_now) {
        channel_->handle_timeout(local_now);
    }
    carry_out_actions(now);
    while (auto frame = channel_->poll_frame(local_now)) {
        if (!connections_.empty() && connections_.back().is_device_end_open) {
            connections_.back().up.write_frame(from_device_text(*std::move(frame), connections_.back().dialect, now),
                                               now);
            report_cut(connections_.back());
        }
    }
    while (auto event = channel_->poll_event()) {
        if (const auto* received = std::get_if<portal_channel::MessageReceived>(&*event)) {
            environment_.observe(MessageToDevice{device_, received->message});
        } else if (const auto* fatal = std::get_if<portal_channel::Fatal>(&*event)) {
            environment_.observe(DeviceFailed{device_, fatal->cause});
        }
        events_.push_back(std::move(*event));
    }
}

template <typename Meaning>
std::string PortalLink::make_newer_and_compare(const std::string& text, const Meaning& meaning, Instant now) {
    auto newer = make_newer(text, *newer_rng_);
    verdict_.check("PRO-2", meaning(newer) == meaning(text), now,
                   [&] { return "means something else with what is not known in it: " + newer; });
    return newer;
}

std::string PortalLink::to_device_text(std::string text, portal_api::Dialect dialect, Instant now) {
    if (!newer_rng_) {
        return text;
    }
    const auto meaning = [&](std::string_view frame) -> std::string {
        const auto decoded = portal_api::decode_to_device(role_, dialect, frame);
        if (!decoded) {
            return "undecodable";
        }
        const auto* message = std::get_if<portal_api::MessageFrame>(&*decoded);
        return message != nullptr ? portal_api::encode_to_device(message->message, dialect)
                                  : std::to_string(decoded->index());
    };
    return make_newer_and_compare(text, meaning, now);
}

std::string PortalLink::as_its_generation_says(std::string text) const {
    if (generation_ != Generation::kB || role_ != portal_api::Role::kClient) {
        return text;
    }
    const auto frame = portal_api::decode_from_device(role_, portal_api::Dialect::kV1, text);
    const auto* message = frame ? std::get_if<portal_api::DeviceMessageFrame>(&*frame) : nullptr;
    const auto* from_client = message == nullptr ? nullptr : std::get_if<portal_api::FromClient>(&message->message);
    const bool is_about_candidates =
        from_client != nullptr &&
        (std::holds_alternative<portal_api::BroadcastGatewayIceCandidates>(*from_client) ||
         std::holds_alternative<portal_api::BroadcastInvalidatedGatewayIceCandidates>(*from_client));
    return is_about_candidates ? portal_api::encode_from_device(message->message, portal_api::Dialect::kV2,
                                                                std::stoull(message->ref.json))
                               : text;
}

std::string PortalLink::from_device_text(std::string text, portal_api::Dialect dialect, Instant now) {
    text = as_its_generation_says(std::move(text));
    if (!newer_rng_) {
        return text;
    }
    const auto meaning = [&](std::string_view frame) -> std::string {
        const auto decoded = portal_api::decode_from_device(role_, dialect, frame);
        if (!decoded) {
            return "undecodable";
        }
        const auto* message = std::get_if<portal_api::DeviceMessageFrame>(&*decoded);
        return message != nullptr ? portal_api::encode_from_device(message->message, dialect, 0)
                                  : std::to_string(decoded->index());
    };
    return make_newer_and_compare(text, meaning, now);
}

std::optional<portal_channel::Event> PortalLink::poll_event() {
    if (events_.empty()) {
        return std::nullopt;
    }
    auto event = std::move(events_.front());
    events_.pop_front();
    return event;
}

std::optional<Instant> PortalLink::poll_portal_timeout() const {
    std::optional<Instant> earliest;
    for (const auto& connection : connections_) {
        keep_earliest(earliest, connection.request_arrives);
        if (connection.session) {
            if (const auto frame_arrives = connection.up.poll_timeout()) {
                keep_earliest(earliest, std::max(*frame_arrives, connection.read_from));
            }
            keep_earliest(earliest, connection.idle_since + portal::idle_timeout(role_));
        }
    }
    return earliest;
}

std::optional<Instant> PortalLink::poll_timeout() const {
    auto earliest = poll_portal_timeout();
    if (channel_ && !connections_.empty() && connections_.back().is_device_end_open) {
        const auto& connection = connections_.back();
        keep_earliest(earliest, connection.answer_arrives);
        if (!connection.answer_arrives && !connection.request_arrives) {
            keep_earliest(earliest, connection.down.poll_timeout());
        }
    }
    return earliest;
}

}  // namespace culvert::model
