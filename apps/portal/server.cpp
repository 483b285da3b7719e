#include "apps/portal/server.h"

#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/fields.hpp>
#include <boost/beast/http/verb.hpp>
#include <boost/beast/websocket/rfc6455.hpp>

#include "apps/common/process.h"
#include "apps/portal/admin_endpoint.h"
#include "apps/portal/client_address.h"
#include "apps/portal/connection_limiter.h"
#include "apps/portal/constants.h"
#include "apps/portal/device_connection.h"
#include "apps/portal/expiry_watch.h"
#include "apps/portal/metrics.h"
#include "apps/portal/ops_endpoint.h"
#include "apps/portal/problem.h"
#include "apps/portal/query.h"
#include "apps/portal/readiness.h"
#include "apps/portal/unread_output.h"
#include "culvert/admin/problem.h"
#include "culvert/http/server.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/portal/constants.h"
#include "culvert/portal/control_plane.h"
#include "culvert/portal/flow_ingestion.h"

namespace culvert::portal_server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace beast_http = beast::http;
namespace websocket = beast::websocket;
using portal::SessionId;
using portal_api::Dialect;
using portal_api::Role;

constexpr log::Logger kLog{"portal_server"};

using NotSentLowWater = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;

struct Endpoint {
    std::string_view path;
    Role role;
    Dialect dialect;
    /// What is read of a device, in bytes per second: many times what honest ones send.
    std::size_t read_rate;
};
constexpr std::size_t kClientRate = 256 * 1024;
constexpr std::size_t kGatewayRate = 2048 * 1024;
constexpr std::size_t kRelayRate = 64 * 1024;
constexpr std::array<Endpoint, 5> kEndpoints = {{{"/client/websocket", Role::kClient, Dialect::kV1, kClientRate},
                                                 {"/client/v2/websocket", Role::kClient, Dialect::kV2, kClientRate},
                                                 {"/gateway/websocket", Role::kGateway, Dialect::kV1, kGatewayRate},
                                                 {"/gateway/v2/websocket", Role::kGateway, Dialect::kV2, kGatewayRate},
                                                 {"/relay/websocket", Role::kRelay, Dialect::kV1, kRelayRate}}};

/// All X-Forwarded-For headers, in order, as if they were one.
std::string forwarded_for(const beast_http::fields& header) {
    std::string joined;
    const auto [first, last] = header.equal_range("X-Forwarded-For");
    for (auto field = first; field != last; ++field) {
        joined += joined.empty() ? "" : ",";
        joined.append(field->value().data(), field->value().size());
    }
    return joined;
}

}  // namespace

class Server::State {
public:
    State(const ServeCommand& command, SqliteStorage& storage, const Rng& rng, io::ServiceManager service)
        : storage_{storage},
          service_{std::move(service)},
          trusted_proxies_{command.trusted_proxies},
          login_rate_{command.limits.logins_per_second, command.limits.logins_per_second},
          seen_changes_{storage.foreign_changes()},
          core_{storage, rng, io::monotonic_now(), command.limits},
          flow_ingestion_{storage, rng},
          readiness_{storage},
          core_timer_{context_},
          poll_timer_{context_},
          expiry_timer_{context_},
          stop_timer_{context_},
          watchdog_timer_{context_},
          signals_{context_, SIGINT, SIGTERM},
          reload_signal_{context_, SIGHUP} {
        admin_ = std::make_unique<AdminEndpoint>(context_, storage, core_, rng.child("administrators"), command.web,
                                                 [this] { apply_own_changes(); });
        listen(command.api_listen);
        const auto api = server_->address();  // with the port if 0 was asked for
        if (command.ops_listen) {
            ops_ = std::make_unique<OpsEndpoint>(
                *command.ops_listen, context_,
                OpsEndpoint::Answers{
                    .problem = [this] { return readiness_.problem(io::monotonic_now()); },
                    .metrics = [this] { return render_metrics(core_.statistics(), expiry_watch_.count()); }});
            kLog.info("Listening", log::field("api", api), log::field("ops", ops_->address()));
        } else {
            kLog.info("Listening", log::field("api", api));
        }
        admin_->announce_setup();
    }

    void run() {
        signals_.async_wait([this](beast::error_code error, int) {
            if (!error) {
                stop();
            }
        });
        await_reload();
        watch_expiry();
        poll_changes();
        arm_core_timer();
        feed_watchdog();
        command_line::release_signals();
        service_.is_ready();
        service_.status("Serving devices at " + server_->address().to_string());
        context_.run();
    }

private:
    using ExchangePtr = std::shared_ptr<culvert::http::Exchange>;

    /// No place may have many connections that have not shown who they are.
    void listen(const net::SocketAddress& address) {
        auto listening = culvert::http::Server::listen(
            context_,
            {.listen = address,
             .max_connections = kMaxWaiting,
             .max_body = portal_api::kMaxFlowBody,
             .admit = [this](auto& exchange) { return admit(exchange); },
             .too_long = [](const auto& exchange) { return to_response(admitted(exchange)->too_long); },
             .enter =
                 [this](const auto& peer) { return is_trusted(peer) || limiter_.opened(peer, io::monotonic_now()); },
             .leave =
                 [this](const auto& peer) {
                     if (!is_trusted(peer)) {
                         limiter_.closed(peer);
                     }
                 }},
            [this](const ExchangePtr& exchange) { try_route(exchange); });
        if (!listening) {
            throw ListenError{listening.error() +
                              ". Choose another address with --api-listen ADDR:PORT, or stop what uses this one."};
        }
        server_ = *std::move(listening);
    }

    [[nodiscard]] bool is_trusted(const net::IpAddress& peer) const {
        return std::ranges::any_of(trusted_proxies_, [&](const auto& proxy) { return proxy.contains(peer); });
    }

    void try_route(const ExchangePtr& exchange) {
        try {
            route(exchange);
        } catch (const std::exception& failure) {
            kLog.error("Unexpected failure while answering a request",
                       log::field("error", std::string_view{failure.what()}));
            respond(exchange, {500, "unhandled_connect_error", "The portal failed."});
        }
    }

    void route(const ExchangePtr& exchange) {
        const auto& message = exchange->message();
        const auto target = parse_target({message.target().data(), message.target().size()});
        if (!target) {
            return respond(exchange, 400, "The request's target is malformed.\n");
        }
        for (const auto& endpoint : kEndpoints) {
            if (target->path == endpoint.path) {
                return websocket::is_upgrade(message) && message.method() == beast_http::verb::get
                           ? upgrade(exchange, endpoint, *target)
                           : respond(exchange, 400, "This address is for WebSocket connections only.\n");
            }
        }
        if (const auto decided = admitted(*exchange); decided != nullptr && decided->verdict) {
            return answer(exchange, *decided->verdict);
        }
        if (admin_->answer(exchange, *target, visitor(*exchange))) {
            return;
        }
        if (target->path == portal_api::kFlowLogsPath) {
            return message.method() == beast_http::verb::post ? ingest(exchange)
                                                              : respond(exchange, 405, "Only POST is possible here.\n");
        }
        if (message.method() != beast_http::verb::get && message.method() != beast_http::verb::head) {
            return respond(exchange, 405, "Only GET is possible here.\n");
        }
        if (target->path == "/healthz") {
            respond(exchange, 200, "ok\n");
        } else if (target->path == "/readyz" || target->path == "/metrics") {
            respond(exchange, 404, "This is for operators only: see --ops-listen.\n");
        } else {
            respond(exchange, 404, "There is nothing here.\n");
        }
    }

    // --- Administrators ---

    AdminEndpoint::Visitor visitor(const culvert::http::Exchange& exchange) const {
        const auto& message = exchange.message();
        const auto scheme = message["X-Forwarded-Proto"];
        return {client_address(exchange.peer(), forwarded_for(message), trusted_proxies_),
                is_trusted(exchange.peer()) && scheme == "https"};
    }

    /// What administrators do here takes effect before they are answered.
    void apply_own_changes() {
        try {
            core_.handle_changes(io::monotonic_now(), io::wall_now());
        } catch (const portal::StorageError& failure) {
            seen_changes_ = -1;  // to be tried again soon
            kLog.error("Cannot read a change; trying again until it works",
                       log::field("error", std::string_view{failure.what()}));
        }
        drain();
    }

    std::size_t admit_administrator(culvert::http::Exchange& exchange, std::size_t longest) {
        const auto& message = exchange.message();
        const auto announced = message.has_content_length() ? content_length(message) : longest;
        auto request = std::make_shared<Admitted>(body_bytes_, std::min(announced, longest));
        const auto refusal = admin::to_response({413, "too_large", "The request's body is too long."});
        request->too_long = {.status = refusal.status, .body = refusal.body, .code = "too_large"};
        const bool is_crowded = body_bytes_ > portal::kMaxBodiesAtOnce;
        if (is_crowded) {
            request->verdict = portal::FlowIngestion::overloaded();
        }
        exchange.attach(std::move(request));
        return is_crowded ? 0 : longest;
    }

    void tell_presence(Role role) {
        admin_->tell(role == Role::kClient ? "clients" : role == Role::kGateway ? "gateways" : "relays");
    }

    // --- What devices report of their flows ---

    /// A request that may be heard out: holds memory of the budget as long as it lasts.
    struct Admitted {
        Admitted(std::size_t& budget, std::size_t size) : used{budget}, bytes{size} { used += bytes; }
        ~Admitted() { used -= bytes; }
        Admitted(const Admitted&) = delete;
        Admitted& operator=(const Admitted&) = delete;

        std::size_t& used;
        std::size_t bytes;
        portal::FlowIngestion::Answer too_long;
        /// Decided already, but a device that is still sending would not hear it.
        std::optional<portal::FlowIngestion::Answer> verdict;
    };
    static std::shared_ptr<Admitted> admitted(const culvert::http::Exchange& exchange) {
        return std::static_pointer_cast<Admitted>(exchange.attachment());
    }

    /// How many bytes of the request's body are read. All other requests have none.
    std::size_t admit(culvert::http::Exchange& exchange) {
        const auto& message = exchange.message();
        if (const auto longest = AdminEndpoint::max_body(message); longest > 0) {
            return admit_administrator(exchange, longest);
        }
        if (message.method() != beast_http::verb::post || message.target() != as_beast(portal_api::kFlowLogsPath)) {
            return 0;
        }
        auto admission = judge_header(exchange);
        const auto announced = message.has_content_length() ? content_length(message) : admission.max_body;
        auto admitted = std::make_shared<Admitted>(body_bytes_, std::min(announced, admission.max_body));
        admitted->too_long = std::move(admission.too_long);
        admitted->verdict = std::move(admission.verdict);
        const bool is_crowded = body_bytes_ > portal::kMaxBodiesAtOnce;
        if (is_crowded) {
            admitted->verdict = portal::FlowIngestion::overloaded();
        }
        exchange.attach(std::move(admitted));
        return is_crowded ? 0 : admission.max_body;
    }

    portal::FlowIngestion::Admission judge_header(const culvert::http::Exchange& exchange) {
        try {
            const auto& message = exchange.message();
            const auto client = client_address(exchange.peer(), forwarded_for(message), trusted_proxies_);
            return flow_ingestion_.admit(client, authorization_of(message), core_.account(), io::monotonic_now(),
                                         wall_seconds());
        } catch (const portal::StorageError& failure) {
            kLog.debug("Cannot take flow logs", log::field("error", std::string_view{failure.what()}));
            return {.max_body = portal::kMaxStrangersBody,
                    .too_long = portal::FlowIngestion::overloaded(),
                    .verdict = portal::FlowIngestion::overloaded()};
        }
    }

    void ingest(const ExchangePtr& exchange) {
        if (const auto decided = admitted(*exchange); decided != nullptr && decided->verdict) {
            return answer(exchange, *decided->verdict);
        }
        try {
            const auto& message = exchange->message();
            auto judged =
                flow_ingestion_.judge(authorization_of(message), message.body(), core_.account(), wall_seconds());
            if (const auto* refusal = std::get_if<portal::FlowIngestion::Answer>(&judged)) {
                return answer(exchange, *refusal);
            }
            store_flows(exchange, std::make_shared<portal::FlowIngestion::Batch>(
                                      std::get<portal::FlowIngestion::Batch>(std::move(judged))));
        } catch (const portal::StorageError& failure) {
            fail_ingestion(exchange, failure);
        }
    }

    /// In turn with everything else.
    void store_flows(const ExchangePtr& exchange, const std::shared_ptr<portal::FlowIngestion::Batch>& batch) {
        try {
            if (const auto stored = batch->store_some(storage_, wall_seconds())) {
                flow_ingestion_.reap(core_.account(), wall_seconds());
                return answer(exchange, *stored);
            }
            asio::post(context_, [this, exchange, batch] { store_flows(exchange, batch); });
        } catch (const portal::StorageError& failure) {
            fail_ingestion(exchange, failure);
        }
    }

    static void fail_ingestion(const ExchangePtr& exchange, const portal::StorageError& failure) {
        kLog.debug("Cannot store flow logs", log::field("error", std::string_view{failure.what()}));
        answer(exchange, portal::FlowIngestion::overloaded());
    }

    static void answer(const ExchangePtr& exchange, const portal::FlowIngestion::Answer& answer) {
        exchange->respond(to_response(answer));
    }

    static culvert::http::Response to_response(const portal::FlowIngestion::Answer& answer) {
        if (answer.status != 200) {
            kLog.debug("Refused flow logs", log::field("status", answer.status), log::field("code", answer.code));
        }
        return {.status = answer.status,
                .body = answer.body,
                .content_type = answer.status == 200 ? "application/json" : "application/problem+json",
                .retry_after = answer.retry_after};
    }

    static std::string_view authorization_of(const culvert::http::Exchange::Message& message) {
        const auto value = message[beast_http::field::authorization];
        return {value.data(), value.size()};
    }
    static beast::string_view as_beast(std::string_view text) { return {text.data(), text.size()}; }
    static std::size_t content_length(const culvert::http::Exchange::Message& message) {
        const auto text = message[beast_http::field::content_length];
        std::size_t length = 0;
        std::from_chars(text.data(), text.data() + text.size(), length);
        return length;
    }
    static UnixSeconds wall_seconds() { return std::chrono::floor<std::chrono::seconds>(io::wall_now()); }

    // --- Devices ---

    void upgrade(const ExchangePtr& exchange, const Endpoint& endpoint, const Target& target) {
        const auto& message = exchange->message();
        for (const auto& [key, value] : target.parameters) {
            if (key == "vsn" && !value.starts_with("1.")) {
                return respond(exchange,
                               {403, "unsupported_version", "Only version 1 of the channel protocol is served here."});
            }
        }
        const auto client = client_address(exchange->peer(), forwarded_for(message), trusted_proxies_);
        const auto agent = message[beast_http::field::user_agent];
        const auto authorization = message["X-Authorization"];
        const portal::ConnectRequest login{
            .role = endpoint.role,
            .dialect = endpoint.dialect,
            .parameters = with_header_token(target.parameters, {authorization.data(), authorization.size()}),
            .user_agent = printable_ascii({agent.data(), std::min(agent.size(), kMaxUserAgent)}),
            .remote_ip = client};
        if (const auto wait = limiter_.upgrade(client, core_.has_signed_token(login), io::monotonic_now())) {
            kLog.debug("Refused a connection, too many of its place");
            return respond(exchange, {503, "rate_limit", "Too many connections at once. Try again soon.", *wait});
        }
        const auto token = portal::shown_token(login);
        const auto login_wait =
            token ? limiter_.log_in(client, *token, login_rate_, io::monotonic_now()) : std::nullopt;
        if (login_wait) {
            return respond(exchange, {503, "rate_limit", "Rate limit exceeded", *login_wait});
        }
        const auto session = core_.connect(login, io::monotonic_now(), io::wall_now(),
                                           [this](const Uuid& owner) { return unread_.is_crowded(owner); });
        drain();  // relays hear of a device that is trusted again
        if (!session) {
            if (session.error().status == 401 && !limiter_.may_answer_wrong_token(client, io::monotonic_now())) {
                return respond_late(exchange, session.error());
            }
            return respond(exchange, session.error());
        }
        open(exchange, endpoint, *session);
    }

    /// It is in `connections_` from here on: the core may end the session while the upgrade is still on its way.
    void open(const ExchangePtr& exchange, const Endpoint& endpoint, SessionId id) {
        auto [tcp, request] = exchange->take_over();
        beast::error_code ignored;
        tcp.socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
        tcp.socket().set_option(NotSentLowWater{kMaxUnsentInKernel}, ignored);
        tcp.rate_policy().read_limit(endpoint.read_rate);
        DeviceConnection::Stream stream{std::move(tcp)};
        websocket::stream_base::timeout timeouts{};
        timeouts.handshake_timeout = kCloseTimeout;
        timeouts.idle_timeout = websocket::stream_base::none();
        timeouts.keep_alive_pings = false;
        stream.set_option(timeouts);
        stream.auto_fragment(false);  // a message in one frame and one write, instead of one for each 4 KiB
        stream.read_message_max(portal_api::max_device_frame_size(endpoint.role));
        const auto owner = core_.owner(id);
        const auto connection = std::make_shared<DeviceConnection>(
            std::move(stream), id, portal::idle_timeout(endpoint.role),
            DeviceConnection::Handlers{
                .on_frame =
                    [this, owner, role = endpoint.role, is_new = true](SessionId from, std::string_view frame) mutable {
                        const bool has_unread = unread_.is_waiting(from);  // from before: the answer is not yet written
                        const auto pause = handle_frame(from, frame);
                        if (std::exchange(is_new, false)) {
                            tell_presence(role);  // the first frame is how devices join
                        }
                        drain();
                        return has_unread && unread_.is_crowded(owner)
                                   ? std::max<Duration>(pause, portal::kLongestOwnerPause)
                                   : pause;
                    },
                .on_congestion = [this](SessionId of, bool is_congested) { core_.set_congested(of, is_congested); },
                .on_unread =
                    [this, owner](SessionId of, std::size_t bytes) {
                        unread_.set(of, owner, bytes, io::monotonic_now());
                        bound_unread(owner);
                    },
                .on_end =
                    [this, role = endpoint.role](SessionId from) {
                        core_.disconnect(from, io::monotonic_now());
                        tell_presence(role);
                        unread_.remove(from);
                        connections_.erase(from);
                        drain();
                    }});
        connections_.emplace(id, connection);
        connection->accept(std::move(request));
        if (is_stopping_) {
            connection->close(websocket::close_code::going_away);
        }
    }

    void bound_unread(const Uuid& owner) {
        while (const auto surplus = unread_.surplus(owner)) {
            kLog.warn(
                "Too much waits for devices that do not read what they are sent; cut off the one that has waited "
                "longest",
                log::field("owner", surplus->owner.to_string()), log::field("waiting_bytes", unread_.total()));
            unread_.remove(surplus->session);
            if (const auto connection = connections_.find(surplus->session); connection != connections_.end()) {
                connection->second->cut_off();
            }
        }
    }

    /// Whatever a device brings about must not end the service for all others.
    Duration handle_frame(SessionId from, std::string_view frame) {
        try {
            return core_.handle_frame(from, frame, io::monotonic_now(), io::wall_now());
        } catch (const std::exception& failure) {
            kLog.error("Unexpected failure while serving a device; closing its connection",
                       log::field("error", std::string_view{failure.what()}));
            core_.disconnect(from, io::monotonic_now());
            if (const auto connection = connections_.find(from); connection != connections_.end()) {
                connection->second->close(websocket::close_code::internal_error);
            }
            return {};
        }
    }

    /// The connection waits meanwhile, of which its place has only so many.
    void respond_late(const ExchangePtr& exchange, const portal::Refusal& refusal) {
        auto timer = std::make_shared<asio::steady_timer>(context_, kWrongTokenDelay);
        timer->async_wait([exchange, refusal, timer](beast::error_code error) {
            if (!error) {
                respond(exchange, refusal);
            }
        });
    }

    static void respond(const ExchangePtr& exchange, const portal::Refusal& refusal) {
        exchange->respond(to_problem(refusal));
    }
    static void respond(const ExchangePtr& exchange, unsigned status, std::string text) {
        exchange->respond({.status = status, .body = std::move(text)});
    }

    /// Hands out what the core has to say, and sets the alarm for when it has more to do.
    void drain() {
        while (auto output = core_.poll_output()) {
            if (auto* frame = std::get_if<portal::SendFrame>(&*output)) {
                if (const auto to = connections_.find(frame->session); to != connections_.end()) {
                    to->second->send(std::move(frame->text));
                }
            } else if (const auto to = connections_.find(std::get<portal::CloseSession>(*output).session);
                       to != connections_.end()) {
                to->second->close(websocket::close_code::normal);
            }
        }
        arm_core_timer();
    }

    void arm_core_timer() {
        const auto deadline = core_.poll_timeout();
        if (!deadline || is_stopping_) {
            return;
        }
        core_timer_.expires_at(std::chrono::steady_clock::time_point{
            std::chrono::duration_cast<std::chrono::steady_clock::duration>(deadline->time_since_epoch())});
        core_timer_.async_wait([this](beast::error_code error) {
            if (!error) {
                core_.handle_timeout(io::monotonic_now(), io::wall_now());
                drain();
            }
        });
    }

    /// What another process writes is noticed by itself; this is for who wants to be sure, and for whose service
    /// manager reloads by signal.
    void await_reload() {
        reload_signal_.async_wait([this](beast::error_code error, int) {
            if (error) {
                return;
            }
            service_.is_reloading(io::monotonic_now());
            try {
                seen_changes_ = storage_.foreign_changes();
                core_.handle_changes(io::monotonic_now(), io::wall_now());
                kLog.info("Read the configuration again, because of SIGHUP");
            } catch (const std::exception& failure) {
                seen_changes_ = -1;  // to be tried again soon
                kLog.error("Cannot read the configuration again",
                           log::field("error", std::string_view{failure.what()}));
            }
            drain();
            service_.is_ready();
            await_reload();
        });
    }

    /// One thread does everything, so whoever gets here is alive.
    void feed_watchdog() {
        const auto limit = service_.watchdog();
        if (!limit) {
            return;
        }
        service_.is_alive();
        watchdog_timer_.expires_after(*limit / 3);
        watchdog_timer_.async_wait([this](beast::error_code error) {
            if (!error) {
                feed_watchdog();
            }
        });
    }

    void watch_expiry() {
        try {
            expiry_watch_.look_at(storage_.list_tokens(), std::chrono::floor<std::chrono::seconds>(io::wall_now()));
        } catch (const portal::StorageError& failure) {
            kLog.debug("Cannot look for tokens that expire", log::field("error", std::string_view{failure.what()}));
        }
        expiry_timer_.expires_after(kExpiryInterval);
        expiry_timer_.async_wait([this](beast::error_code error) {
            if (!error) {
                watch_expiry();
            }
        });
    }

    void poll_changes() {
        poll_timer_.expires_after(portal::kChangeInterval);
        poll_timer_.async_wait([this](beast::error_code error) {
            if (error) {
                return;
            }
            try {
                if (const auto changes = storage_.foreign_changes(); changes != seen_changes_) {
                    core_.handle_changes(io::monotonic_now(), io::wall_now());
                    seen_changes_ = changes;
                    admin_->tell("everything");
                }
                if (std::exchange(storage_failed_, false)) {
                    kLog.info("The database can be read again");
                }
            } catch (const std::exception& failure) {  // for revocations' sake it must go on whatever fails
                if (!std::exchange(storage_failed_, true)) {
                    kLog.error("Cannot read changes; trying again until it works",
                               log::field("error", std::string_view{failure.what()}));
                }
            }
            drain();
            poll_changes();
        });
    }

    void stop() {
        kLog.info("Stopping");
        service_.is_stopping();
        service_.status("Saying goodbye to devices");
        reload_signal_.cancel();
        is_stopping_ = true;
        server_->stop();
        admin_->stop();
        poll_timer_.cancel();
        expiry_timer_.cancel();
        core_timer_.cancel();
        for (const auto& [id, connection] : connections_) {
            connection->close(websocket::close_code::going_away);
        }
        stop_timer_.expires_after(kCloseTimeout);
        stop_timer_.async_wait([this](beast::error_code) { context_.stop(); });
        stop_when_empty();
    }

    void stop_when_empty() {
        if (connections_.empty()) {
            context_.stop();
            return;
        }
        poll_timer_.expires_after(kGoneInterval);
        poll_timer_.async_wait([this](beast::error_code) { stop_when_empty(); });
    }

    SqliteStorage& storage_;
    io::ServiceManager service_;
    std::vector<net::IpNetwork> trusted_proxies_;
    Rate login_rate_;
    std::int64_t seen_changes_;  // read before core_ reads the rest, so that nothing falls in between
    portal::ControlPlane core_;
    portal::FlowIngestion flow_ingestion_;
    /// Of bodies that are read or stored.
    std::size_t body_bytes_ = 0;
    // Before what holds requests, which leave them when they end.
    ConnectionLimiter limiter_;
    Readiness readiness_;
    asio::io_context context_{1};
    std::unique_ptr<culvert::http::Server> server_;
    asio::steady_timer core_timer_;
    asio::steady_timer poll_timer_;
    asio::steady_timer expiry_timer_;
    asio::steady_timer stop_timer_;
    asio::steady_timer watchdog_timer_;
    asio::signal_set signals_;
    asio::signal_set reload_signal_;
    std::map<SessionId, std::shared_ptr<DeviceConnection>> connections_;
    UnreadOutput unread_;
    ExpiryWatch expiry_watch_;
    bool storage_failed_ = false;
    bool is_stopping_ = false;
    std::unique_ptr<AdminEndpoint> admin_;
    std::unique_ptr<OpsEndpoint> ops_;  // goes first: it asks all of the above
};

Server::Server(const ServeCommand& command, SqliteStorage& storage, const Rng& rng, io::ServiceManager service)
    : state_{std::make_unique<State>(command, storage, rng, std::move(service))} {}

Server::~Server() = default;

void Server::run() {
    state_->run();
}

}  // namespace culvert::portal_server
