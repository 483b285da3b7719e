#pragma once

#include "culvert/portal/storage_admin_contract.h"
#include "culvert/portal/storage_configuration_contract.h"
#include "culvert/portal/storage_devices_contract.h"
#include "culvert/portal/storage_flow_logs_contract.h"
#include "culvert/portal/storage_flows_contract.h"
#include "culvert/portal/storage_pools_contract.h"

/// What every storage must do, as tests, for a `factory` of storages as StorageFixture wants it.
#define CULVERT_STORAGE_CONTRACT(prefix, factory)                                  \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StorageAdminContract, factory);         \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StorageConfigurationContract, factory); \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StorageDevicesContract, factory);       \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StorageFlowLogsContract, factory);      \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StorageFlowsContract, factory);         \
    INSTANTIATE_TYPED_TEST_SUITE_P(prefix, StoragePoolsContract, factory)
