#include "culvert/os_dns/host_dns.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "culvert/base/overloaded.h"
#include "culvert/observability/log.h"
#include "culvert/os_dns/constants.h"

namespace culvert::os_dns {
namespace {

constexpr log::Logger kLog{"os_dns"};

constexpr const char* kLost =
    "the process that controls this machine's DNS has ended. Start the client again: it puts back what is left.";

}  // namespace

std::expected<std::unique_ptr<HostDns>, std::string> HostDns::start(const KeeperOptions& options) {
    auto line = start_keeper(options);
    if (!line) {
        return std::unexpected{line.error()};
    }
    std::unique_ptr<HostDns> host{new HostDns{std::move(*line)}};
    if (auto started = host->wait_for_start(); !started) {
        return std::unexpected{started.error()};
    }
    kLog.debug("Controlling this machine's DNS", log::field("method", to_string(options.method)));
    return host;
}

HostDns::~HostDns() {
    end();
    const auto limit = std::chrono::steady_clock::now() + kKeeperEndLimit;
    while (!is_closed_ && wait_until(limit)) {
        const auto report = receive();
        const auto* const failed = report ? std::get_if<Failed>(&*report) : nullptr;
        if (failed != nullptr && !is_closed_) {
            kLog.warn("Could not put this machine's DNS back", log::field("error", failed->text));
        }
    }
    if (!is_closed_) {
        kLog.warn("This machine's DNS is not back yet; it will be when whoever manages it answers");
    }
}

std::vector<HostDns::Event> HostDns::take_events() {
    std::vector<Event> events;
    while (!has_failed_) {
        auto report = receive();
        if (!report) {
            break;
        }
        std::visit(overloaded{
                       [](const Started&) {},
                       [&](const Applied& applied) {
                           is_applying_ = false;
                           if (auto next = std::exchange(apply_next_, std::nullopt)) {
                               apply(*std::move(next));
                           } else {
                               events.emplace_back(applied);
                           }
                       },
                       [&](const Flushed&) {
                           is_flushing_ = false;
                           if (std::exchange(must_flush_again_, false)) {
                               flush_caches();
                           }
                       },
                       [&](Failed& failed) {
                           has_failed_ = true;
                           events.emplace_back(std::move(failed));
                       },
                       [&](SystemResolvers& found) { events.emplace_back(std::move(found)); },
                       [&](const Notice& notice) { note(notice); },
                   },
                   *report);
    }
    return events;
}

void HostDns::apply(Settings settings) {
    if (settings.search_domain && !is_search_domain(*settings.search_domain)) {
        kLog.warn("The portal's search domain is no domain: doing without it");
        settings.search_domain.reset();
    }
    if (std::exchange(is_applying_, true)) {
        apply_next_ = std::move(settings);
        return;
    }
    send(Apply{std::move(settings)});
}

void HostDns::flush_caches() {
    if (std::exchange(is_flushing_, true)) {
        must_flush_again_ = true;
        return;
    }
    send(FlushCaches{});
}

void HostDns::end() {
    send(End{});
}

// --- The line ---

std::optional<Report> HostDns::receive() {
    std::string packet(kMaxPacket, '\0');
    const auto size = ::recv(line_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return std::nullopt;
    }
    packet.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    auto report = decode_report(packet);
    if (!report) {
        is_closed_ = true;
        return Failed{kLost};
    }
    return report;
}

bool HostDns::wait_until(std::chrono::steady_clock::time_point limit) const {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now());
    pollfd polled{line_.get(), POLLIN, 0};
    return left.count() > 0 && ::poll(&polled, 1, static_cast<int>(left.count())) > 0;
}

std::expected<void, std::string> HostDns::wait_for_start() {
    const auto limit = std::chrono::steady_clock::now() + kKeeperStartLimit;
    while (wait_until(limit)) {
        auto report = receive();
        if (!report) {
            continue;
        }
        if (const auto* failed = std::get_if<Failed>(&*report)) {
            return std::unexpected{failed->text};
        }
        if (const auto* notice = std::get_if<Notice>(&*report)) {
            note(*notice);
        }
        if (std::holds_alternative<Started>(*report)) {
            return {};
        }
    }
    return std::unexpected{std::string{
        "this machine's DNS cannot be controlled: nobody answers. Pass --dns-control disabled to do without."}};
}

void HostDns::send(const KeeperRequest& request) {
    const auto packet = encode(request);
    // The line is never full: of each kind of request one is on its way. If it is broken, receive() says so.
    static_cast<void>(::send(line_.get(), packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
}

void HostDns::note(const Notice& notice) const {
    if (notice.is_warning) {
        kLog.warn("About this machine's DNS", log::field("note", notice.text));
    } else {
        kLog.info("About this machine's DNS", log::field("note", notice.text));
    }
}

}  // namespace culvert::os_dns
