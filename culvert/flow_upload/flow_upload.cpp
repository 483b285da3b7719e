#include "culvert/flow_upload/flow_upload.h"

#include <algorithm>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "culvert/flow_upload/curl_transport.h"
#include "culvert/flow_upload/records.h"
#include "culvert/flow_upload/spool.h"
#include "culvert/flow_upload/uploader.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/resolver/address_look_up.h"

namespace culvert::flow_upload {
namespace {

namespace json = boost::json;
using portal_api::FlowLogSettings;
using Settings = std::optional<FlowLogSettings>;

constexpr log::Logger kLog{"flow_upload"};

bool is_enabled(const Settings& settings) {
    return settings && settings->upload_interval_secs > 0;
}

UnixSeconds wall_seconds() {
    return std::chrono::floor<std::chrono::seconds>(io::wall_now());
}

std::string to_note(const FlowLogSettings& settings) {
    return json::serialize(json::object{{"api_url", settings.api_url},
                                        {"upload_interval_secs", settings.upload_interval_secs},
                                        {"upload_batch_size", settings.upload_batch_size}});
}

Settings from_note(const std::string& text) {
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    const auto* note = error ? nullptr : value.if_object();
    const auto number = [&](const char* key) -> std::optional<std::uint32_t> {
        const auto* member = note->if_contains(key);
        const auto* counted = member != nullptr ? member->if_int64() : nullptr;
        return counted != nullptr && *counted >= 0 && *counted <= UINT32_MAX
                   ? std::optional{static_cast<std::uint32_t>(*counted)}
                   : std::nullopt;
    };
    const auto* url = note != nullptr ? note->if_contains("api_url") : nullptr;
    if (url == nullptr || !url->is_string()) {
        return std::nullopt;
    }
    const auto interval = number("upload_interval_secs");
    const auto batch = number("upload_batch_size");
    if (!interval || !batch) {
        return std::nullopt;
    }
    return FlowLogSettings{
        .api_url = std::string{url->as_string()}, .upload_interval_secs = *interval, .upload_batch_size = *batch};
}

}  // namespace

/// The thread, and what it shares with the one that adds.
class FlowUpload::Worker {
public:
    explicit Worker(Options options)
        : options_{std::move(options)},
          transport_{{.mark = options_.mark,
                      .look_up = [this](const std::string& host) { return look_up(host); },
                      .attend = [this] { return attend(); }}} {
        inbox_.name_servers = options_.name_servers;
        thread_ = std::thread{[this] { run(); }};
    }

    ~Worker() {
        change([](Inbox& inbox) { inbox.ends = true; });
        thread_.join();
    }
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;

    void configure(const Settings& settings) {
        change([&](Inbox& inbox) { inbox.settings = settings; });
    }

    void add(tunnel::FlowsTracked tracked, Instant now, WallTime wall_now) {
        change([&](Inbox& inbox) {
            inbox.clock.note(now, wall_now);
            inbox.lost += tracked.dropped;
            if (inbox.records >= kQueuedRecords) {
                inbox.lost += tracked.flows.size();
                return;
            }
            inbox.records += tracked.flows.size();
            std::ranges::move(tracked.flows, std::back_inserter(inbox.flows));
        });
    }

    void set_name_servers(std::vector<net::IpAddress> servers) {
        change([&](Inbox& inbox) { inbox.name_servers = std::move(servers); });
    }

    void set_portal_addresses(std::vector<net::IpAddress> addresses) {
        change([&](Inbox& inbox) { inbox.portal_addresses = std::move(addresses); });
    }

private:
    struct Inbox {
        std::vector<tunnel::TrackedFlow> flows;
        std::size_t records = 0;
        std::uint64_t lost = 0;
        ClockHistory clock;
        std::optional<Settings> settings;
        std::optional<std::vector<net::IpAddress>> name_servers;
        std::optional<std::vector<net::IpAddress>> portal_addresses;
        bool ends = false;
    };

    template <typename Change>
    void change(Change change_inbox) {
        {
            const std::lock_guard lock{mutex_};
            change_inbox(inbox_);
        }
        transport_.wake();
    }

    // --- The thread's own ---

    void run() {
        try {
            open_spool();
            while (attend()) {
                work();
            }
        } catch (const std::exception& failure) {
            kLog.error("Flows are not recorded any more", log::field("error", std::string_view{failure.what()}));
        }
        report_loss(true);
    }

    void open_spool() {
        auto spool = Spool::open(options_.folder, {}, wall_seconds());
        if (!spool) {
            // Only worth a line once records are wanted.
            kLog.debug("No records of flows can be kept", log::field("error", spool.error()));
            spool_error_ = spool.error();
            return;
        }
        spool_.emplace(std::move(*spool));
        uploader_.emplace(*spool_, transport_);
        if (const auto note = spool_->note()) {
            settings_ = from_note(*note);
        }
        if (const auto count = spool_->records(); count > 0) {
            kLog.info("Going on with records of flows of an earlier run", log::field("records", count));
        }
    }

    void work() {
        has_changed_ = false;
        if (!spool_ || !is_enabled(settings_)) {
            rest(kDisabledPause);
            return;
        }
        spool_->prune(wall_seconds());
        const auto destination = destination_of(settings_->api_url, options_.allows_plain_text);
        if (!destination) {
            rest(kDisabledPause);
            return;
        }
        const auto wanted = settings_->upload_batch_size == 0 ? kDefaultBatch : settings_->upload_batch_size;
        switch (uploader_->pass(*destination, std::min(wanted, kMaxBatch))) {
            case Uploader::Outcome::kHasMore:
                rest(kFullBatchPause);
                break;
            case Uploader::Outcome::kDone:
            case Uploader::Outcome::kGaveUp:
                rest(std::chrono::seconds{settings_->upload_interval_secs});
                break;
            case Uploader::Outcome::kEnding:
                break;
        }
    }

    /// Not for long if other settings come.
    void rest(Duration duration) {
        while (duration > Duration{} && !has_changed_ && transport_.pause(std::min(duration, kSettingsInterval))) {
            duration -= kSettingsInterval;
        }
    }

    /// Takes what the other thread has left. False: the program ends, and all is written down.
    bool attend() {
        Inbox taken;
        {
            const std::lock_guard lock{mutex_};
            taken = std::exchange(inbox_, {});
            inbox_.clock = taken.clock;
            inbox_.ends = taken.ends;
        }
        if (taken.settings) {
            take_settings(*std::move(taken.settings));
        }
        if (taken.portal_addresses) {
            portal_addresses_ = std::move(*taken.portal_addresses);
        }
        if (taken.name_servers) {
            name_servers_ = std::move(taken.name_servers);
        }
        if (is_enabled(settings_)) {
            lost_ += taken.lost;
            write_down(taken.flows, taken.clock);
        }
        report_loss(false);
        return !taken.ends;
    }

    void take_settings(Settings settings) {
        if (settings == settings_) {
            return;
        }
        settings_ = std::move(settings);
        has_changed_ = true;
        if (spool_ && settings_) {
            spool_->keep_note(to_note(*settings_));
        }
        if (!is_enabled(settings_)) {
            kLog.debug("The portal wants no records of flows");
            return;
        }
        kLog.info("The portal wants records of flows",
                  log::field("interval_secs", std::uint64_t{settings_->upload_interval_secs}));
        if (!spool_error_.empty()) {
            kLog.warn("No records of flows can be kept", log::field("error", spool_error_));
        }
        if (!destination_of(settings_->api_url, options_.allows_plain_text)) {
            kLog.warn("Cannot upload records of flows: the portal's URL for them is no https:// URL; they are kept");
        }
    }

    void write_down(const std::vector<tunnel::TrackedFlow>& flows, const ClockHistory& clock) {
        struct Part {
            const tunnel::FlowAuthorization* authorization = nullptr;
            std::vector<std::string> records;
        };
        std::map<Spool::Key, Part> parts;
        for (const auto& flow : flows) {
            auto& part = parts[{flow.authorization->role, flow.authorization->id}];
            part.authorization = flow.authorization.get();
            part.records.push_back(encode_flow_record(to_record(flow, clock)));
        }
        for (const auto& [key, part] : parts) {
            lost_ += spool_ ? spool_->add(key, part.authorization->token, part.authorization->expires_at, part.records)
                            : part.records.size();
        }
    }

    void report_loss(bool is_last) {
        const auto now = io::monotonic_now();
        if (lost_ == 0 || (!is_last && now < next_report_)) {
            return;
        }
        next_report_ = now + kLossInterval;
        const auto error = spool_ ? spool_->take_error() : std::optional{spool_error_};
        kLog.warn("Records of flows were lost", log::field("lost", lost_),
                  log::field("kept", spool_ ? spool_->records() : 0),
                  log::field("cause", error.value_or("there was no room for them: the portal took too few in time")));
        lost_ = 0;
    }

    std::vector<net::IpAddress> look_up(const std::string& host) {
        if (host == options_.portal_host && !portal_addresses_.empty()) {
            return portal_addresses_;
        }
        boost::asio::io_context context;
        std::optional<std::vector<net::IpAddress>> addresses;
        resolver::AddressLookUp look_up{context,
                                        {.servers = name_servers_, .mark = options_.mark, .limit = kLookUpTime},
                                        [&](std::optional<resolver::AddressLookUp::Found> found) {
                                            addresses =
                                                found ? std::move(found->addresses) : std::vector<net::IpAddress>{};
                                        }};
        look_up.start(host);
        while (!addresses && attend()) {
            context.run_for(kAttention);
            context.restart();
        }
        return addresses.value_or(std::vector<net::IpAddress>{});
    }

    Options options_;
    std::mutex mutex_;
    Inbox inbox_;
    CurlTransport transport_;

    std::optional<Spool> spool_;
    std::string spool_error_;
    std::optional<Uploader> uploader_;
    Settings settings_;
    std::optional<std::vector<net::IpAddress>> name_servers_;
    std::vector<net::IpAddress> portal_addresses_;
    bool has_changed_ = false;
    std::uint64_t lost_ = 0;
    Instant next_report_{};
    std::thread thread_;
};

FlowUpload::FlowUpload(Options options) : worker_{std::make_unique<Worker>(std::move(options))} {}
FlowUpload::~FlowUpload() = default;

void FlowUpload::configure(const std::optional<FlowLogSettings>& settings) {
    worker_->configure(settings);
}

void FlowUpload::add(tunnel::FlowsTracked tracked, Instant now, WallTime wall_now) {
    worker_->add(std::move(tracked), now, wall_now);
}

void FlowUpload::set_name_servers(std::vector<net::IpAddress> servers) {
    worker_->set_name_servers(std::move(servers));
}

void FlowUpload::set_portal_addresses(std::vector<net::IpAddress> addresses) {
    worker_->set_portal_addresses(std::move(addresses));
}

}  // namespace culvert::flow_upload
