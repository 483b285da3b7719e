// "culvert-portal device ...".

#include <algorithm>
#include <iostream>

#include "apps/portal/commands.h"
#include "apps/portal/error_output.h"
#include "apps/portal/listing.h"
#include "culvert/io/clock.h"

namespace culvert::portal_server {
namespace {

int fail_unknown(const std::string& id) {
    return fail("there is no device " + id + ". \"culvert-portal device list\" shows the ids.");
}

std::optional<DeviceListing> find_device(SqliteStorage& storage, const std::string& text) {
    const auto id = Uuid::parse(text);
    if (!id) {
        return std::nullopt;
    }
    const auto devices = storage.list_devices();
    const auto found = std::ranges::find(devices, *id, &DeviceListing::id);
    return found == devices.end() ? std::nullopt : std::optional{*found};
}

bool revoke(SqliteStorage& storage, const DeviceListing& device, UnixSeconds now) {
    switch (device.kind) {
        case DeviceKind::kClient:
            return storage.revoke(ClientId{device.id}, now);
        case DeviceKind::kGateway:
            return storage.revoke(GatewayId{device.id}, now);
        case DeviceKind::kRelay:
            break;
    }
    return storage.revoke(RelayId{device.id}, now);
}

bool erase(SqliteStorage& storage, const DeviceListing& device) {
    switch (device.kind) {
        case DeviceKind::kClient:
            return storage.erase(ClientId{device.id});
        case DeviceKind::kGateway:
            return storage.erase(GatewayId{device.id});
        case DeviceKind::kRelay:
            break;
    }
    return storage.erase(RelayId{device.id});
}

/// A device names itself: whoever has its token can call himself otherwise.
void warn_of_token(SqliteStorage& storage, const DeviceListing& device, std::string_view danger) {
    if (!device.token) {
        return;
    }
    const auto devices = storage.list_devices();
    const auto others = std::ranges::count_if(
        devices, [&](const auto& other) { return other.token == device.token && other.id != device.id; });
    std::cerr << "note: its token " << device.token->to_string() << " is still valid, so " << danger
              << ". To prevent that: culvert-portal token revoke " << device.token->to_string() << " (";
    if (others > 0) {
        std::cerr << others << (others == 1 ? " other device uses it" : " other devices use it") << ")\n";
    } else {
        std::cerr << "no other device uses it)\n";
    }
}

}  // namespace

int run(const DeviceListCommand& command, SqliteStorage& storage) {
    const auto devices = storage.list_devices();
    std::cout << (command.is_json ? to_json(devices) : to_table(devices));
    return finish_output();
}

int run(const DeviceRevokeCommand& command, SqliteStorage& storage) {
    const auto device = find_device(storage, command.id);
    if (!device || !revoke(storage, *device, std::chrono::floor<std::chrono::seconds>(io::wall_now()))) {
        return fail_unknown(command.id);
    }
    std::cout << "revoked " << device->id.to_string() << '\n';
    warn_of_token(storage, *device, "whoever holds it can connect under another name");
    return finish_output();
}

int run(const DeviceDeleteCommand& command, SqliteStorage& storage) {
    const auto device = find_device(storage, command.id);
    if (!device || !erase(storage, *device)) {
        return fail_unknown(command.id);
    }
    std::cout << "deleted " << device->id.to_string() << '\n';
    warn_of_token(storage, *device, "the device can come back as a new one");
    return finish_output();
}

}  // namespace culvert::portal_server
