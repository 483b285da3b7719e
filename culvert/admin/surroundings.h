#pragma once

#include <string_view>

#include "culvert/portal/directory.h"

namespace culvert::admin {

/// What the API needs of the portal around it.
class Surroundings {
public:
    Surroundings() = default;
    virtual ~Surroundings() = default;
    Surroundings(const Surroundings&) = delete;
    Surroundings& operator=(const Surroundings&) = delete;

    /// The configuration by which devices are served now.
    [[nodiscard]] virtual const portal::Directory& directory() = 0;
    [[nodiscard]] virtual bool is_online(const ClientId& id) = 0;
    [[nodiscard]] virtual bool is_online(const GatewayId& id) = 0;
    [[nodiscard]] virtual bool is_online(const RelayId& id) = 0;

    /// Something was changed in the database: devices are to hear of it, and pages that show lists of `kind`.
    virtual void handle_change(std::string_view kind, std::string_view id) = 0;
    /// Nobody can sign in yet: whoever runs the portal is to be told the code that POST /setup wants.
    virtual void tell_setup_code(std::string_view code) = 0;
};

}  // namespace culvert::admin
