#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "apps/portal/event_streams.h"
#include "apps/portal/password_worker.h"
#include "apps/portal/query.h"
#include "apps/portal/web_files.h"
#include "culvert/admin/api.h"
#include "culvert/http/server.h"
#include "culvert/portal/control_plane.h"
#include "culvert/sign_in/sign_in.h"

namespace culvert::portal_server {

/// The part of the API listener that browsers see: the administrators' REST API, their pages, the events that pages
/// listen to, and the pages on which people sign in.
class AdminEndpoint final : private admin::Surroundings {
public:
    /// All but `files` must outlive the object. `on_change` is called when the API has changed something in the
    /// database. Throws StorageError.
    AdminEndpoint(boost::asio::io_context& context, portal::Storage& storage, portal::ControlPlane& core, Rng rng,
                  std::shared_ptr<const WebFiles> files, std::function<void()> on_change);
    ~AdminEndpoint() override;

    /// How many bytes are read of the request's body: fewer of those who show nothing that they could have signed in
    /// with. 0 also if it is for somebody else.
    [[nodiscard]] static std::size_t max_body(const http::Exchange::Message& message);

    struct Visitor {
        net::IpAddress address;
        bool is_https = false;
    };
    /// Answers, soon or later. False: `target` leads elsewhere.
    [[nodiscard]] bool answer(const std::shared_ptr<http::Exchange>& exchange, const Target& target,
                              const Visitor& visitor);

    /// Pages hear that lists of that kind may differ. `id` empty: several.
    void tell(std::string_view kind, std::string_view id = "") { events_.tell(kind, id); }
    /// Says in the log how to set the portal up, if nobody can sign in.
    void announce_setup();
    void stop();

private:
    using ExchangePtr = std::shared_ptr<http::Exchange>;

    const portal::Directory& directory() override { return core_.directory(); }
    bool is_online(const ClientId& id) override { return core_.is_online(id); }
    bool is_online(const GatewayId& id) override { return core_.is_online(id); }
    bool is_online(const RelayId& id) override { return core_.is_online(id); }
    void handle_change(std::string_view kind, std::string_view id) override;
    void tell_setup_code(std::string_view code) override;

    [[nodiscard]] bool answer_page(const ExchangePtr& exchange, const Target& target, bool is_https);
    void give(const ExchangePtr& exchange, admin::Answer answer, admin::ApiRequest request);
    void start(const ExchangePtr& exchange, const std::shared_ptr<admin::PasswordTask>& task, bool is_https);
    void open_events(const ExchangePtr& exchange, admin::ApiRequest request);

    boost::asio::io_context& context_;
    portal::ControlPlane& core_;
    Rng rng_;
    std::shared_ptr<const WebFiles> files_;
    std::function<void()> on_change_;
    EventStreams events_;
    admin::Api api_;
    sign_in::SignIn sign_in_;
    PasswordWorker worker_;  // goes first
};

}  // namespace culvert::portal_server
