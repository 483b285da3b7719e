// The resolver in the sandbox of a device, told on standard input what to ask. Arguments: the host's name servers.
//
//   name NAME                 prints "name NAME LIFETIME-IN-SECONDS ADDRESS...", or "name NAME failed"
//   udp|tcp ID SERVER QUERY   prints "response ID MESSAGE", or "failure ID"; messages are hexadecimal
//   doh ID URL QUERY

#include <linux/capability.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>

#include "culvert/io/constants.h"
#include "culvert/log_output/log_setup.h"
#include "culvert/resolver/resolver.h"
#include "culvert/sandbox/sandbox.h"

namespace culvert {
namespace {

namespace asio = boost::asio;

void enter_sandbox() {
    sandbox::Sandbox sandbox{.capabilities = {CAP_NET_ADMIN}};
    sandbox.files.connect(53).connect(443);
    if (const auto entered = sandbox::enter(std::move(sandbox)); !entered) {
        std::cerr << entered.error() << '\n';
        std::exit(EXIT_FAILURE);
    }
}

class Probe {
public:
    explicit Probe(std::vector<net::IpAddress> name_servers) {
        resolver_.set_system_resolvers(std::move(name_servers));
        read();
    }

    void run() { context_.run(); }

private:
    void read() {
        asio::async_read_until(input_, buffer_, '\n', [this](const boost::system::error_code& error, std::size_t) {
            if (error) {
                return context_.stop();
            }
            std::istream stream{&buffer_};
            std::string line;
            std::getline(stream, line);
            handle(line);
            read();
        });
    }

    void handle(const std::string& line) {
        std::istringstream words{line};
        std::string verb;
        words >> verb;
        if (verb == "name") {
            std::string name;
            words >> name;
            return look_up(name);
        }
        dns::Ask ask;
        std::string server;
        std::string query;
        words >> ask.id.number >> server >> query;
        ask.message = from_hex(query).value();
        ask.transport = verb == "tcp" ? dns::Transport::kTcp : dns::Transport::kUdp;
        ask.route = verb == "doh" ? dns::Route{dns::DohServer{server}}
                                  : dns::Route{dns::ViaHost{net::SocketAddress::parse(server).value()}};
        resolver_.ask(ask);
    }

    void look_up(const std::string& name) {
        resolver_.look_up(dns::Name::parse(name).value(), [name](const auto& found) {
            std::cout << "name " << name;
            if (!found) {
                std::cout << " failed" << std::endl;
                return;
            }
            std::cout << ' ' << std::chrono::duration_cast<std::chrono::seconds>(found->lifetime).count();
            for (const auto& address : found->addresses) {
                std::cout << ' ' << address.to_string();
            }
            std::cout << std::endl;
        });
    }

    asio::io_context context_{1};
    asio::posix::stream_descriptor input_{context_, ::dup(STDIN_FILENO)};
    asio::streambuf buffer_;
    resolver::Resolver resolver_{
        context_,
        {.mark = io::kSocketMark},
        {.on_response =
             [](dns::AskId id, const Bytes& message) {
                 std::cout << "response " << id.number << ' ' << to_hex(message) << std::endl;
             },
         .on_failure = [](dns::AskId id) { std::cout << "failure " << id.number << std::endl; }}};
};

}  // namespace
}  // namespace culvert

int main(int argc, char** argv) {
    std::signal(SIGPIPE, SIG_IGN);
    std::vector<culvert::net::IpAddress> name_servers;
    for (int i = 1; i < argc; ++i) {
        name_servers.push_back(culvert::net::IpAddress::parse(argv[i]).value());
    }
    culvert::enter_sandbox();
    culvert::Probe probe{std::move(name_servers)};
    std::cout << "ready" << std::endl;
    probe.run();
}
