// Drives the machine's DNS as a client does, by commands on standard input, one a line:
//
//     apply SEARCH-DOMAIN|- SERVER...     flush     end
//
// Says what it hears, one a line: "resolvers ADDRESS...", "applied", "failed TEXT". Ends with its input. Once started
// it has no privileges any more, as the client.

#include <poll.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include "culvert/base/overloaded.h"
#include "culvert/os_dns/host_dns.h"
#include "culvert/sandbox/privileges.h"

namespace {

using namespace culvert;

void show(const os_dns::HostDns::Event& event) {
    std::visit(overloaded{
                   [](const os_dns::SystemResolvers& found) {
                       std::cout << "resolvers";
                       for (const auto& address : found.addresses) {
                           std::cout << ' ' << address.to_string();
                       }
                   },
                   [](const os_dns::Applied&) { std::cout << "applied"; },
                   [](const os_dns::Failed& failed) { std::cout << "failed " << failed.text; },
               },
               event);
    std::cout << std::endl;
}

/// False at the end.
bool obey(os_dns::HostDns& host, const std::string& line) {
    std::istringstream words{line};
    std::string command;
    words >> command;
    if (command == "apply") {
        os_dns::Settings settings;
        std::string word;
        words >> word;
        if (word != "-") {
            settings.search_domain = word;
        }
        while (words >> word) {
            settings.servers.push_back(*net::IpAddress::parse(word));
        }
        host.apply(std::move(settings));
    } else if (command == "flush") {
        host.flush_caches();
    }
    return command != "end";
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: os_dns_probe METHOD INTERFACE-INDEX\n";
        return 2;
    }
    const auto index = static_cast<unsigned>(std::stoul(argv[2]));
    auto host = os_dns::HostDns::start({.method = *os_dns::parse_method(argv[1]), .interface_index = index});
    if (!host) {
        std::cout << "failed " << host.error() << std::endl;
        return 1;
    }
    const auto nobody = ::geteuid() == 0 ? std::optional{sandbox::identity_of(60913)} : std::nullopt;
    if (const auto dropped = sandbox::drop_privileges(nobody, {}); !dropped) {
        std::cout << "failed " << dropped.error() << std::endl;
        return 1;
    }
    std::string waiting;
    for (bool goes_on = true; goes_on;) {
        pollfd polled[] = {{(*host)->fd(), POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        ::poll(polled, 2, -1);
        for (const auto& event : (*host)->take_events()) {
            show(event);
            goes_on = goes_on && !std::holds_alternative<os_dns::Failed>(event);
        }
        if (polled[1].revents == 0) {
            continue;
        }
        char buffer[1024];
        const auto size = ::read(STDIN_FILENO, buffer, sizeof buffer);
        goes_on = goes_on && size > 0;
        waiting.append(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
        for (auto end = waiting.find('\n'); goes_on && end != std::string::npos; end = waiting.find('\n')) {
            goes_on = obey(**host, waiting.substr(0, end));
            waiting.erase(0, end + 1);
        }
    }
    host->reset();
    std::cout << "ended" << std::endl;
    return 0;
}
