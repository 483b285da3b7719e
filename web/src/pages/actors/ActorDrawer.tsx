import { Button } from "@mantine/core";
import { Link } from "wouter";
import { useOne } from "../../api/queries";
import type { Actor } from "../../api/types";
import { useConfirmedWrite } from "../../parts/confirmedWrite";
import { DrawerActions } from "../../parts/DrawerActions";
import { Facts, Peek } from "../../parts/facts";
import { LoadedDrawer } from "../../parts/LoadedDrawer";
import { usePlace } from "../../parts/path";
import { RecentFlows } from "../../parts/RecentFlows";
import { text } from "../../text";
import { ActorClients } from "./ActorClients";
import { ActorForm } from "./ActorForm";
import { ActorPassword } from "./ActorPassword";
import { ActorTokens } from "./ActorTokens";

function Details({ actor, etag }: { actor: Actor; etag: string | null }) {
  const { open, close } = usePlace();
  const confirmedWrite = useConfirmedWrite();

  async function remove(): Promise<void> {
    const question = { title: text.actors.removeTitle(actor.name), words: text.actors.removeText(actor.clients) };
    if (await confirmedWrite(question, { method: "DELETE", path: `/actors/${actor.id}`, etag })) close();
  }

  async function change(): Promise<void> {
    const { disable, disableTitle, disableText, enable, enableTitle, enableText } = text.actors;
    const question = actor.is_disabled
      ? { title: enableTitle(actor.name), words: enableText, action: enable }
      : { title: disableTitle(actor.name), words: disableText, action: disable };
    const body = { actor: { is_disabled: !actor.is_disabled } };
    await confirmedWrite(question, { method: "PATCH", path: `/actors/${actor.id}`, body, etag }, text.common.saved);
  }

  return (
    <>
      <DrawerActions
        onEdit={() => {
          open(actor.id, "edit");
        }}
        onRemove={() => {
          void remove();
        }}
      >
        {(actor.type === "account_admin_user" || actor.type === "account_user") && (
          <Button
            size="xs"
            variant="default"
            onClick={() => {
              open(actor.id, "password");
            }}
          >
            {text.actors.setPassword}
          </Button>
        )}
        <Button
          size="xs"
          variant="default"
          onClick={() => {
            void change();
          }}
        >
          {actor.is_disabled ? text.actors.enable : text.actors.disable}
        </Button>
        <Link href={`/access?actor=${actor.id}`} className="link small">
          {text.actors.explain}
        </Link>
      </DrawerActions>
      <Facts
        facts={[
          [text.actors.type, text.actors.types[actor.type]],
          [text.actors.state, actor.is_disabled ? text.actors.disabled : text.actors.enabled],
          [text.actors.email, actor.email],
          [text.actors.groups, <Peek kind="groups" objects={actor.groups} none={text.actors.noGroups} />],
        ]}
      />
      <ActorTokens actor={actor} />
      {actor.type !== "api_client" && (
        <>
          <ActorClients id={actor.id} />
          <RecentFlows query={{ actor_id: actor.id }} without="none" />
        </>
      )}
    </>
  );
}

export function ActorDrawer({ id }: { id: string }) {
  const { mode, open, close } = usePlace();
  const { data } = useOne("actors", id);
  if (mode === "edit" && data) {
    return <ActorForm actor={data.object} etag={data.etag} onClose={close} onSaved={open} />;
  }
  return (
    <LoadedDrawer kind="actors" word={text.actors.one} id={id} titleOf={({ name }) => name} onClose={close}>
      {(actor, etag) => (mode === "password" ? <ActorPassword actor={actor} /> : <Details actor={actor} etag={etag} />)}
    </LoadedDrawer>
  );
}
