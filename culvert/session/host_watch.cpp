#include "culvert/session/host_watch.h"

#include <algorithm>
#include <utility>

#include "culvert/io/clock.h"
#include "culvert/observability/log.h"
#include "culvert/session/constants.h"

namespace culvert::session {
namespace {

constexpr log::Logger kLog{"session"};

}  // namespace

void HostWatch::watch_network(unsigned tun_index, bool follows_routes) {
    auto watch = io::NetworkWatch::open(tun_index);
    auto netlink = io::Netlink::open();
    if (!watch || !netlink) {
        kLog.warn("Cannot watch the host's network: after a change of networks, send SIGHUP",
                  log::field("error", (watch ? netlink.error() : watch.error()).message()));
        return;
    }
    tun_index_ = tun_index;
    network_.emplace(std::move(*watch));
    netlink_.emplace(std::move(*netlink));
    snapshot_ = io::take_snapshot(*netlink_, tun_index_).value_or(io::NetworkSnapshot{});
    if (snapshot_.empty()) {
        without_network_since_ = io::monotonic_now();
    }
    loop_.watch(network_->fd(), [this, follows_routes] {
        const auto changes = network_->take();
        if (changes.ours) {
            schedule_repair();
        }
        if (changes.host || (changes.routes && follows_routes)) {
            note_change_of_host();
        }
    });
}

void HostWatch::watch_nftables(const std::string& table) {
    auto watch = io::NftablesWatch::open(table);
    if (!watch) {
        kLog.warn("Cannot watch nftables: if another program removes our rules, restart this one",
                  log::field("error", watch.error().message()));
        return;
    }
    nftables_.emplace(std::move(*watch));
    loop_.watch(nftables_->fd(), [this] {
        if (nftables_->take()) {
            schedule_repair();
        }
    });
}

void HostWatch::schedule_repair() {
    if (is_stopped_ || std::exchange(is_repair_scheduled_, true)) {
        return;
    }
    loop_.after(repairs_.delay(io::monotonic_now()), [this] {
        is_repair_scheduled_ = false;
        repair();
    });
}

void HostWatch::repair() {
    if (is_stopped_) {
        return;
    }
    const auto repaired = handler_.repair();
    if (repaired == false) {
        return;
    }
    repairs_.done(io::monotonic_now());
    if (repaired) {
        kLog.warn("Another program removed rules, routes or settings of ours; they are back");
    } else {
        kLog.warn("Another program removed rules, routes or settings of ours, and they cannot be put back now",
                  log::field("error", repaired.error()));
        schedule_repair();
    }
}

void HostWatch::note_change_of_host() {
    if (is_stopped_) {
        return;
    }
    last_change_ = io::monotonic_now();
    if (!first_change_) {
        first_change_ = last_change_;
        check_host_after(kSettling);
    }
}

void HostWatch::check_host_after(Duration delay) {
    loop_.after(delay, [this] { check_host(); });
}

void HostWatch::check_host() {
    if (is_stopped_) {
        return;
    }
    const auto now = io::monotonic_now();
    const auto settled = std::min(last_change_ + kSettling, *first_change_ + kLongestSettling);
    if (const auto due = std::max(settled, now + network_changes_.delay(now)); now < due) {
        check_host_after(due - now);
        return;
    }
    first_change_.reset();
    handler_.follow_routes();

    auto snapshot = io::take_snapshot(*netlink_, tun_index_);
    if (!snapshot) {
        // It changed while we looked, and may go on changing.
        first_change_ = last_change_ = now;
        check_host_after(kLongestSettling);
        return;
    }
    if (snapshot->empty()) {
        kLog.debug("The host has no network");
        without_network_since_ = without_network_since_.value_or(now);
        return;
    }
    const auto since = std::exchange(without_network_since_, std::nullopt);
    if (since || *snapshot != snapshot_) {
        snapshot_ = std::move(*snapshot);
        network_changes_.done(now);
        handler_.network_changed(since ? std::optional{now - *since} : std::nullopt);
    }
}

}  // namespace culvert::session
