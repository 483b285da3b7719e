#include "culvert/os_dns/keeper.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "culvert/base/overloaded.h"
#include "culvert/io/clock.h"
#include "culvert/observability/log_sink.h"
#include "culvert/os_dns/constants.h"
#include "culvert/os_dns/etc_resolv_conf.h"
#include "culvert/os_dns/keeper_messages.h"
#include "culvert/os_dns/no_control.h"
#include "culvert/os_dns/resolv_conf_text.h"
#include "culvert/os_dns/systemd_resolved.h"
#include "culvert/sandbox/sandbox.h"

namespace culvert::os_dns {
namespace {

/// Where the keeper has its end of the line.
constexpr int kLine = 3;

using OnNotice = std::function<void(const Notice&)>;

/// An earlier run may have been told to write the file, and been killed. Nothing is touched unless that is so.
void repair_file(const KeeperOptions& options, const OnNotice& on_notice) {
    const auto folder = ConfigFolder::open(options.root / "etc");
    const auto live = folder ? folder->read(kLiveName) : std::unexpected{folder.error()};
    if (!live || !is_ours(live->text)) {
        return;
    }
    if (auto left = EtcResolvConf::open(
            {.root = options.root, .on_notice = on_notice, .lock_patience = std::chrono::milliseconds{0}})) {
        static_cast<void>((*left)->revert());
    }
}

std::expected<std::unique_ptr<DnsControl>, std::string> open_control(const KeeperOptions& options, OnNotice on_notice) {
    switch (options.method) {
        case DnsMethod::kSystemdResolved:
            repair_file(options, on_notice);
            return SystemdResolved::open(
                {.interface_index = options.interface_index, .on_notice = std::move(on_notice)});
        case DnsMethod::kEtcResolvConf:
            return EtcResolvConf::open({.root = options.root, .on_notice = std::move(on_notice)});
        case DnsMethod::kDisabled:
            break;
    }
    return std::make_unique<NoControl>(options.root);
}

std::expected<void, std::string> confine(const KeeperOptions& options) {
    sandbox::Sandbox sandbox{.identity = std::nullopt,
                             .capabilities = {},
                             .syscalls = {},
                             .restricts_files_and_syscalls = options.is_sandboxed};
    sandbox.files.read(options.root / "etc");
    if (options.method == DnsMethod::kEtcResolvConf) {
        // The file may be somebody else's than root's, and must stay so.
        sandbox.capabilities = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER};
        sandbox.files.manage(options.root / "etc");
        sandbox.syscalls.changes_files = true;
    }
    return sandbox::enter(std::move(sandbox));
}

/// The keeper's side.
class Keeper {
public:
    explicit Keeper(const KeeperOptions& options) : options_{options} {}

    void run() {
        if (auto started = start(); !started) {
            report(Failed{started.error()});
            return;
        }
        report(Started{});
        report_resolvers();
        while (serve()) {
        }
        // In the end all must be as before, whoever ends it.
        if (auto reverted = control_->revert(); !reverted) {
            report(Failed{reverted.error()});
        }
    }

private:
    std::expected<void, std::string> start() {
        auto control = open_control(options_, [](const Notice& notice) { report(notice); });
        if (!control) {
            return std::unexpected{control.error()};
        }
        control_ = std::move(*control);
        if (auto confined = confine(options_); !confined) {
            return confined;
        }
        return control_->start();
    }

    /// One turn of the loop; false at the end.
    bool serve() {
        const auto wait = control_->wait();
        std::array<pollfd, 2> polled{{{kLine, POLLIN, 0}, {wait.fd, wait.events, 0}}};
        const int ready = ::poll(polled.data(), polled.size(), patience(wait.until));
        if (ready < 0 && errno != EINTR) {
            return false;
        }
        const auto now = io::monotonic_now();
        if (polled[1].revents != 0 || (wait.until && now >= *wait.until)) {
            const auto has_news = control_->process(now);
            if (!has_news) {
                report(Failed{has_news.error()});
                return false;
            }
            if (*has_news && !look_at_) {
                look_at_ = now + kResolversSettling;
            }
        }
        if (look_at_ && now >= *look_at_) {
            look_at_.reset();
            report_resolvers();
        }
        return polled[0].revents == 0 || handle_packet();
    }

    /// For poll(): milliseconds, rounded up.
    [[nodiscard]] int patience(std::optional<Instant> until) const {
        if (look_at_) {
            until = until ? std::min(*until, *look_at_) : *look_at_;
        }
        if (!until) {
            return -1;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - io::monotonic_now()).count();
        return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
    }

    bool handle_packet() {
        std::string packet(kMaxPacket, '\0');
        const auto size = ::recv(kLine, packet.data(), packet.size(), MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        // The client has ended, or is no longer itself.
        const auto request = size > 0 ? decode_request({packet.data(), static_cast<std::size_t>(size)}) : std::nullopt;
        return request && std::visit([this](const auto& alternative) { return handle(alternative); }, *request);
    }

    bool handle(const Apply& apply) {
        if (auto applied = control_->apply(apply.settings); !applied) {
            report(Failed{applied.error()});
            return false;
        }
        report(Applied{});
        return true;
    }
    bool handle(const FlushCaches& /*flush*/) {
        control_->flush_caches();
        report(Flushed{});
        return true;
    }
    bool handle(const End& /*end*/) { return false; }

    void report_resolvers() {
        auto resolvers = control_->system_resolvers();
        if (resolvers != reported_) {
            report(SystemResolvers{resolvers});
            reported_ = std::move(resolvers);
        }
    }

    static void report(const Report& report) {
        const auto packet = encode(report);
        static_cast<void>(::send(kLine, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
    }

    KeeperOptions options_;
    std::unique_ptr<DnsControl> control_;
    std::optional<std::vector<net::IpAddress>> reported_;
    std::optional<Instant> look_at_;
};

/// Nothing of the client's but what both have always had: not its sockets, files and TUN device, which must go when it
/// goes, nor what it does about signals.
void leave_client(int line) {
    ::setsid();
    ::prctl(PR_SET_NAME, "culvert-dns");
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2}) {
        std::signal(number, SIG_IGN);
    }
    // Kept, because what it does when it goes is the client's business as well.
    static const auto sink = log::installed_sink();
    log::install_sink(nullptr);
    if (line != kLine) {
        ::dup2(line, kLine);
    }
    ::close_range(kLine + 1, ~0U, 0);
    const int nothing = ::open("/dev/null", O_RDWR);
    for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        ::dup2(nothing, standard);
    }
    if (nothing > kLine) {
        ::close(nothing);
    }
}

[[noreturn]] void be_keeper(int line, const KeeperOptions& options) {
    leave_client(line);
    try {
        Keeper{options}.run();
    } catch (...) {
        ::_exit(1);
    }
    ::_exit(0);
}

}  // namespace

std::expected<io::FileDescriptor, std::string> start_keeper(const KeeperOptions& options) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
        return std::unexpected{std::string{"cannot make a pair of sockets: "} + std::strerror(errno) + '.'};
    }
    io::FileDescriptor ours{ends[0]};
    const io::FileDescriptor theirs{ends[1]};
    // Twice, so that init is its parent: nobody here will wait for it.
    const pid_t child = ::fork();
    if (child == 0) {
        const pid_t grandchild = ::fork();
        if (grandchild == 0) {
            be_keeper(theirs.get(), options);
        }
        ::_exit(grandchild < 0 ? 1 : 0);
    }
    int status = 0;
    if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0) {
        return std::unexpected{std::string{"cannot start a process: "} + std::strerror(errno) + '.'};
    }
    return ours;
}

}  // namespace culvert::os_dns
