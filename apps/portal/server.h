#pragma once

#include <memory>
#include <stdexcept>

#include "apps/portal/options.h"
#include "apps/portal/sqlite_storage.h"
#include "culvert/io/service_manager.h"

namespace culvert::portal_server {

/// The listener could not be opened; what() is a sentence for a person.
class ListenError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The API listener, with the WebSockets of clients, gateways and relays, and the operators' listener. One thread does
/// everything.
class Server {
public:
    /// Listens at once. `storage` must outlive the object. Throws ListenError and portal::StorageError.
    Server(const ServeCommand& command, SqliteStorage& storage, const Rng& rng, io::ServiceManager service);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Serves until SIGTERM or SIGINT, then says goodbye to every device and returns.
    void run();

private:
    class State;
    std::unique_ptr<State> state_;
};

}  // namespace culvert::portal_server
