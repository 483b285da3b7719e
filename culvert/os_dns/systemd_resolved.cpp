#include "culvert/os_dns/systemd_resolved.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <thread>
#include <utility>

#include "culvert/base/bytes.h"
#include "culvert/io/clock.h"
#include "culvert/os_dns/constants.h"

namespace culvert::os_dns {
namespace {

constexpr const char* kService = "org.freedesktop.resolve1";
constexpr const char* kPath = "/org/freedesktop/resolve1";
constexpr const char* kManager = "org.freedesktop.resolve1.Manager";
constexpr std::uint16_t kDnsPort = 53;

constexpr const char* kOtherMethods = "Pass --dns-control etc-resolv-conf or --dns-control disabled to do without it.";

/// Released when the scope ends.
struct Error {
    sd_bus_error value{};

    Error() = default;
    Error(const Error&) = delete;
    Error& operator=(const Error&) = delete;
    ~Error() { sd_bus_error_free(&value); }
};
struct Unref {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, Unref>;

std::string text_of(int negative_errno) {
    return std::strerror(-negative_errno);
}

int set_flag(sd_bus_message* /*message*/, void* flag, sd_bus_error* /*error*/) {
    *static_cast<bool*>(flag) = true;
    return 0;
}

int note_owner(sd_bus_message* message, void* flag, sd_bus_error* /*error*/) {
    const char* name = nullptr;
    const char* before = nullptr;
    const char* after = nullptr;
    if (sd_bus_message_read(message, "sss", &name, &before, &after) >= 0 && *after != '\0') {
        *static_cast<bool*>(flag) = true;
    }
    return 0;
}

/// Whether nobody was there to do it: it is starting, stopping or hanging.
bool is_absence(std::string_view name) {
    return name == SD_BUS_ERROR_SERVICE_UNKNOWN || name == SD_BUS_ERROR_NAME_HAS_NO_OWNER ||
           name == SD_BUS_ERROR_NO_REPLY || name == SD_BUS_ERROR_TIMEOUT || name == SD_BUS_ERROR_DISCONNECTED ||
           name.starts_with("org.freedesktop.DBus.Error.Spawn.") || name.starts_with("org.freedesktop.systemd1.") ||
           name == "System.Error.ETIMEDOUT" || name == "System.Error.ECONNRESET" || name == "System.Error.ENOTCONN";
}

std::string advice_for(std::string_view name) {
    if (is_absence(name)) {
        return "Start systemd-resolved (systemctl enable --now systemd-resolved). ";
    }
    if (name == SD_BUS_ERROR_ACCESS_DENIED || name == SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED ||
        name == SD_BUS_ERROR_AUTH_FAILED) {
        return "Start as root, or allow this user the actions org.freedesktop.resolve1.* with a rule of polkit. ";
    }
    if (name == "org.freedesktop.resolve1.LinkBusy") {
        return "Tell systemd-networkd to leave the interface alone ([Link] Unmanaged=yes). ";
    }
    return {};
}

int append_servers(sd_bus_message* message, const std::vector<net::IpAddress>& servers) {
    int result = sd_bus_message_open_container(message, 'a', "(iay)");
    for (const auto& server : servers) {
        if (result >= 0) {
            result = sd_bus_message_open_container(message, 'r', "iay");
        }
        if (result >= 0) {
            result = sd_bus_message_append(message, "i", server.is_v4() ? AF_INET : AF_INET6);
        }
        if (result >= 0) {
            result = sd_bus_message_append_array(message, 'y', server.bytes().data(), server.bytes().size());
        }
        if (result >= 0) {
            result = sd_bus_message_close_container(message);
        }
    }
    return result < 0 ? result : sd_bus_message_close_container(message);
}

/// The root as a domain for routing only makes it ask here for all names; the search domain as well is appended to
/// short ones.
int append_domains(sd_bus_message* message, const std::optional<std::string>& search_domain) {
    if (search_domain) {
        return sd_bus_message_append(message, "a(sb)", 2U, search_domain->c_str(), 0, ".", 1);
    }
    return sd_bus_message_append(message, "a(sb)", 1U, ".", 1);
}

/// Those of property DNSEx that anybody can ask: not of our interface, on the usual port.
std::vector<net::IpAddress> read_servers(sd_bus_message* message, unsigned our_interface) {
    std::vector<net::IpAddress> found;
    if (sd_bus_message_enter_container(message, 'a', "(iiayqs)") < 0) {
        return found;
    }
    while (sd_bus_message_enter_container(message, 'r', "iiayqs") > 0) {
        int interface = 0;
        int family = 0;
        const void* address = nullptr;
        std::size_t size = 0;
        std::uint16_t port = 0;
        const char* name = nullptr;
        if (sd_bus_message_read(message, "ii", &interface, &family) < 0 ||
            sd_bus_message_read_array(message, 'y', &address, &size) < 0 ||
            sd_bus_message_read(message, "qs", &port, &name) < 0 || sd_bus_message_exit_container(message) < 0) {
            break;
        }
        const bool is_usual_port = port == 0 || port == kDnsPort;
        if (static_cast<unsigned>(interface) != our_interface && is_usual_port && (size == 4 || size == 16)) {
            const auto parsed = net::IpAddress::from_bytes({static_cast<const std::byte*>(address), size});
            // Without its interface a link-local address leads nowhere.
            if (parsed.is_v4() || !parsed.is_link_local()) {
                found.push_back(parsed);
            }
        }
    }
    return without_sentinels(found);
}

}  // namespace

void SystemdResolved::Closer::operator()(sd_bus* bus) const {
    sd_bus_close_unref(bus);
}

std::expected<std::unique_ptr<SystemdResolved>, std::string> SystemdResolved::open(Options options) {
    std::unique_ptr<SystemdResolved> control{new SystemdResolved{std::move(options)}};
    if (auto connected = control->connect(); !connected) {
        return std::unexpected{connected.error()};
    }
    return control;
}

SystemdResolved::~SystemdResolved() = default;

DnsControl::Result SystemdResolved::connect() {
    bus_.reset();
    sd_bus* bus = nullptr;
    int result = sd_bus_open_system(&bus);
    bus_.reset(bus);
    const auto patience = std::chrono::duration_cast<std::chrono::microseconds>(options_.patience).count();
    if (result >= 0) {
        result = sd_bus_set_method_call_timeout(bus, static_cast<std::uint64_t>(patience));
    }
    if (result >= 0) {
        result = sd_bus_match_signal(bus, nullptr, kService, kPath, "org.freedesktop.DBus.Properties",
                                     "PropertiesChanged", set_flag, &has_news_);
    }
    if (result >= 0) {
        result = sd_bus_add_match(bus, nullptr,
                                  "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                                  "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
                                  "arg0='org.freedesktop.resolve1'",
                                  note_owner, &is_new_owner_);
    }
    if (result < 0) {
        bus_.reset();
        return std::unexpected{"cannot reach systemd-resolved over D-Bus: " + text_of(result) +
                               ". Is there a system bus? " + kOtherMethods};
    }
    return {};
}

// --- What is asked for ---

DnsControl::Result SystemdResolved::start() {
    Failure failure;
    const auto found = ask_resolvers(failure);
    if (!found) {
        return std::unexpected{"systemd-resolved does not answer: " + failure.text + ". " + advice_for(failure.name) +
                               kOtherMethods};
    }
    return {};
}

DnsControl::Result SystemdResolved::apply(const Settings& settings) {
    if (settings.servers.empty()) {
        return revert();
    }
    if (auto valid = check(settings); !valid) {
        return valid;
    }
    applied_ = settings;
    repeat_at_.reset();
    const auto failure = tell(settings);
    if (!failure) {
        return {};
    }
    if (is_absence(failure->name)) {
        options_.on_notice({.is_warning = true,
                            .text = "systemd-resolved does not answer (" + failure->text +
                                    "): this machine's DNS is set once it does"});
        tell_later(io::monotonic_now());
        return {};
    }
    return std::unexpected{"systemd-resolved refuses: " + failure->text + ". " + advice_for(failure->name) +
                           kOtherMethods};
}

DnsControl::Result SystemdResolved::revert() {
    repeat_at_.reset();
    if (std::exchange(applied_, std::nullopt)) {
        // Where it does not answer, or knows the interface no more, nothing is left to be done.
        static_cast<void>(call("RevertLink"));
    }
    return {};
}

void SystemdResolved::flush_caches() {
    if (bus_) {
        sd_bus_call_method_async(bus_.get(), nullptr, kService, kPath, kManager, "FlushCaches", nullptr, nullptr, "");
        sd_bus_flush(bus_.get());
    }
}

std::vector<net::IpAddress> SystemdResolved::system_resolvers() {
    Failure failure;
    if (auto found = ask_resolvers(failure)) {
        resolvers_ = std::move(*found);
    }
    return resolvers_;
}

// --- What happens at the other end ---

DnsControl::Wait SystemdResolved::wait() const {
    Wait wait{.until = repeat_at_};
    if (!bus_) {
        return wait;
    }
    wait.fd = sd_bus_get_fd(bus_.get());
    wait.events = static_cast<short>(sd_bus_get_events(bus_.get()));
    std::uint64_t due = 0;  // microseconds on the monotonic clock
    if (sd_bus_get_timeout(bus_.get(), &due) > 0 && due != UINT64_MAX) {
        const Instant at{std::chrono::microseconds{static_cast<std::int64_t>(due)}};
        wait.until = wait.until ? std::min(*wait.until, at) : at;
    }
    return wait;
}

std::expected<bool, std::string> SystemdResolved::process(Instant now) {
    int result = 0;
    do {
        result = bus_ ? sd_bus_process(bus_.get(), nullptr) : 0;
    } while (result > 0);
    if (result < 0 && bus_) {
        options_.on_notice({.is_warning = true, .text = "lost the connection to D-Bus: " + text_of(result)});
        bus_.reset();
        tell_later(now);
    }
    const bool is_new_owner = std::exchange(is_new_owner_, false);
    bool has_news = std::exchange(has_news_, false) || is_new_owner;
    if (is_new_owner || (repeat_at_ && now >= *repeat_at_)) {
        repeat_at_.reset();
        if (!bus_) {
            if (!connect()) {
                tell_later(now);
                return has_news;
            }
            has_news = true;
        }
        if (applied_) {
            if (const auto failure = tell(*applied_)) {
                options_.on_notice(
                    {.is_warning = true, .text = "cannot set this machine's DNS again: " + failure->text});
                tell_later(now);
            } else {
                options_.on_notice({.text = "systemd-resolved was told again about this machine's DNS"});
            }
        }
    }
    return has_news;
}

void SystemdResolved::tell_later(Instant now) {
    repeats_.done(now);
    repeat_at_ = now + repeats_.delay(now);
}

// --- Calls ---

SystemdResolved::Outcome SystemdResolved::tell(const Settings& settings) {
    auto failure =
        call("SetLinkDNS", [&](sd_bus_message* message) { return append_servers(message, settings.servers); });
    for (int attempt = 1; failure && failure->name == "org.freedesktop.resolve1.NoSuchLink" && attempt < kLinkAttempts;
         ++attempt) {
        std::this_thread::sleep_for(kLinkPause);
        failure =
            call("SetLinkDNS", [&](sd_bus_message* message) { return append_servers(message, settings.servers); });
    }
    if (!failure) {
        failure = call("SetLinkDomains",
                       [&](sd_bus_message* message) { return append_domains(message, settings.search_domain); });
    }
    if (!failure) {
        // Otherwise it asks for names of one label nowhere but by LLMNR on other interfaces.
        failure =
            call("SetLinkLLMNR", [](sd_bus_message* message) { return sd_bus_message_append(message, "s", "yes"); });
    }
    if (failure) {
        return failure;
    }
    // The stub resolver speaks no TLS and signs nothing, whatever is the rule for other interfaces. Old or small builds
    // of systemd-resolved do not know all of these.
    static_cast<void>(
        call("SetLinkDefaultRoute", [](sd_bus_message* message) { return sd_bus_message_append(message, "b", 1); }));
    for (const char* method : {"SetLinkDNSOverTLS", "SetLinkDNSSEC"}) {
        static_cast<void>(
            call(method, [](sd_bus_message* message) { return sd_bus_message_append(message, "s", "no"); }));
    }
    return std::nullopt;
}

SystemdResolved::Outcome SystemdResolved::call(const char* method, const Fill& fill) {
    if (!bus_) {
        return Failure{.name = SD_BUS_ERROR_DISCONNECTED, .text = "no connection to D-Bus"};
    }
    sd_bus_message* made = nullptr;
    int result = sd_bus_message_new_method_call(bus_.get(), &made, kService, kPath, kManager, method);
    const Message message{made};
    if (result >= 0) {
        result = sd_bus_message_append(made, "i", static_cast<int>(options_.interface_index));
    }
    if (result >= 0) {
        result = fill(made);
    }
    if (result < 0) {
        return Failure{.name = {}, .text = text_of(result)};
    }
    Error error;
    if (result = sd_bus_call(bus_.get(), made, 0, &error.value, nullptr); result >= 0) {
        return std::nullopt;
    }
    const bool has_name = error.value.name != nullptr;
    return Failure{.name = has_name ? error.value.name : "",
                   .text = error.value.message != nullptr ? error.value.message : text_of(result)};
}

std::optional<std::vector<net::IpAddress>> SystemdResolved::ask_resolvers(Failure& failure) {
    if (!bus_) {
        failure = {.name = SD_BUS_ERROR_DISCONNECTED, .text = "no connection to D-Bus"};
        return std::nullopt;
    }
    Error error;
    sd_bus_message* answer = nullptr;
    const int result =
        sd_bus_get_property(bus_.get(), kService, kPath, kManager, "DNSEx", &error.value, &answer, "a(iiayqs)");
    const Message message{answer};
    if (result < 0) {
        failure = {.name = error.value.name != nullptr ? error.value.name : "",
                   .text = error.value.message != nullptr ? error.value.message : text_of(result)};
        return std::nullopt;
    }
    return read_servers(answer, options_.interface_index);
}

}  // namespace culvert::os_dns
