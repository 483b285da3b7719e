import { Button } from "@mantine/core";
import type { ReactNode } from "react";
import { text } from "../text";
import { useConfirmedWrite } from "./confirmedWrite";
import { DrawerActions } from "./DrawerActions";

interface Device {
  id: string;
  name: string;
  is_revoked: boolean;
}

interface Props {
  kind: "clients" | "gateways";
  device: Device;
  etag: string | null;
  onEdit?: () => void;
  /** Only where deleting is another thing than revoking: a gateway would come back with its site's token. */
  onRemoved?: () => void;
  /** Further buttons. */
  children?: ReactNode;
}

/** Keeping a client or gateway out, letting it in again, forgetting it. */
export function DeviceActions({ kind, device, etag, onEdit, onRemoved, children }: Props) {
  const confirmedWrite = useConfirmedWrite();
  const words = text[kind];
  const path = `/${kind}/${device.id}`;

  async function remove(): Promise<void> {
    const question = { title: text.clients.removeTitle(device.name), words: text.clients.removeText };
    if (await confirmedWrite(question, { method: "DELETE", path, etag })) onRemoved?.();
  }

  async function toggle(): Promise<void> {
    const question = device.is_revoked
      ? {
          title: text.clients.restoreTitle(device.name),
          words: text.clients.restoreText,
          action: text.clients.restore,
          isDangerous: false,
        }
      : { title: text.clients.revokeTitle(device.name), words: words.revokeText, action: text.clients.revoke };
    const verb = device.is_revoked ? "restore" : "revoke";
    const done = device.is_revoked ? text.clients.restored : text.clients.revoked;
    await confirmedWrite(question, { method: "PUT", path: `${path}/${verb}` }, done);
  }

  return (
    <DrawerActions
      {...(onEdit ? { onEdit } : {})}
      {...(onRemoved
        ? {
            onRemove: () => {
              void remove();
            },
          }
        : {})}
    >
      <Button
        size="xs"
        variant="default"
        onClick={() => {
          void toggle();
        }}
      >
        {device.is_revoked ? text.clients.restore : text.clients.revoke}
      </Button>
      {children}
    </DrawerActions>
  );
}
