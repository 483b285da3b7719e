#include "culvert/tunnel/client/resource_view.h"

namespace culvert::tunnel {

std::string_view to_string(ResourceStatus status) {
    switch (status) {
        case ResourceStatus::kUnknown:
            return "Unknown";
        case ResourceStatus::kOnline:
            return "Online";
        case ResourceStatus::kOffline:
            return "Offline";
    }
    return "";
}

}  // namespace culvert::tunnel
