#include "apps/portal/ops_endpoint.h"

#include <future>
#include <utility>

#include <boost/asio/post.hpp>

#include "apps/portal/constants.h"
#include "apps/portal/server.h"
#include "culvert/observability/metrics_page.h"

namespace culvert::portal_server {
namespace {}  // namespace

OpsEndpoint::OpsEndpoint(const net::SocketAddress& listen, boost::asio::io_context& portal, Answers answers)
    : portal_{portal}, answers_{std::move(answers)} {
    const auto route = [this](auto question) {
        return culvert::http::Endpoint::Route{
            .handler = [this, question](const culvert::http::Request&) { return ask(question); },
            .accepts_post = false};
    };
    auto endpoint = culvert::http::Endpoint::start(
        listen, {{"/healthz", route([] { return culvert::http::Response{200, "ok\n"}; })},
                 {"/readyz", route([this] {
                      const auto problem = answers_.problem();
                      return problem ? culvert::http::Response{503, *problem + "\n"}
                                     : culvert::http::Response{200, "ok\n"};
                  })},
                 {"/metrics", route([this] {
                      return culvert::http::Response{200, answers_.metrics(), observability::MetricsPage::kContentType};
                  })}});
    if (!endpoint) {
        throw ListenError{endpoint.error() +
                          ". Choose another address with --ops-listen ADDR:PORT, turn it off with --ops-listen off, "
                          "or stop what uses this one."};
    }
    endpoint_ = *std::move(endpoint);
}

OpsEndpoint::~OpsEndpoint() {
    is_stopping_ = true;
}

culvert::http::Response OpsEndpoint::ask(std::function<culvert::http::Response()> question) {
    const auto answer = std::make_shared<std::promise<culvert::http::Response>>();
    auto future = answer->get_future();
    boost::asio::post(portal_, [answer, question = std::move(question)] {
        try {
            answer->set_value(question());
        } catch (...) {
            answer->set_exception(std::current_exception());
        }
    });
    const auto deadline = std::chrono::steady_clock::now() + kAnswerTime;
    while (future.wait_for(kWaitSlice) != std::future_status::ready) {
        if (is_stopping_ || std::chrono::steady_clock::now() >= deadline) {
            return {503, "The portal does not answer.\n"};
        }
    }
    return future.get();
}

}  // namespace culvert::portal_server
