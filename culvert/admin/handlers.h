#pragma once

#include "culvert/admin/call.h"

/// What each route does. Each throws ApiProblem and portal::StorageError.
namespace culvert::admin {

// session_handlers.cpp
Answer show_setup(Call& call);
Answer set_up(Call& call);
Answer sign_in(Call& call);
Answer show_session(Call& call);
Answer sign_out(Call& call);
Answer change_own_password(Call& call);
Answer set_password(Call& call);

// configuration_handlers.cpp
Answer show_account(Call& call);
Answer update_account(Call& call);
Answer list_sites(Call& call);
Answer create_site(Call& call);
Answer show_site(Call& call);
Answer update_site(Call& call);
Answer delete_site(Call& call);
Answer list_actors(Call& call);
Answer create_actor(Call& call);
Answer show_actor(Call& call);
Answer update_actor(Call& call);
Answer delete_actor(Call& call);
Answer list_groups(Call& call);
Answer create_group(Call& call);
Answer show_group(Call& call);
Answer update_group(Call& call);
Answer delete_group(Call& call);
Answer list_memberships(Call& call);
Answer replace_memberships(Call& call);
Answer change_memberships(Call& call);

// access_handlers.cpp
Answer list_resources(Call& call);
Answer create_resource(Call& call);
Answer show_resource(Call& call);
Answer update_resource(Call& call);
Answer delete_resource(Call& call);
Answer list_policies(Call& call);
Answer create_policy(Call& call);
Answer show_policy(Call& call);
Answer update_policy(Call& call);
Answer delete_policy(Call& call);
Answer explain_access(Call& call);

// token_handlers.cpp
Answer list_site_tokens(Call& call);
Answer create_site_token(Call& call);
Answer delete_site_token(Call& call);
Answer delete_site_tokens(Call& call);
Answer list_actor_tokens(Call& call);
Answer create_actor_token(Call& call);
Answer delete_actor_token(Call& call);
Answer delete_actor_tokens(Call& call);
Answer list_relay_tokens(Call& call);
Answer create_relay_token(Call& call);
Answer delete_relay_token(Call& call);

// device_handlers.cpp
Answer list_clients(Call& call);
Answer show_client(Call& call);
Answer update_client(Call& call);
Answer delete_client(Call& call);
Answer revoke_client(Call& call);
Answer restore_client(Call& call);
Answer verify_client(Call& call);
Answer unverify_client(Call& call);
Answer list_gateways(Call& call);
Answer list_site_gateways(Call& call);
Answer show_gateway(Call& call);
Answer revoke_gateway(Call& call);
Answer restore_gateway(Call& call);
Answer list_relays(Call& call);
Answer delete_relay(Call& call);
Answer list_flows(Call& call);
Answer list_audit(Call& call);
Answer open_events(Call& call);

}  // namespace culvert::admin
