import { ActionIcon, Button, Menu, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useIsLive } from "../api/live";
import { takeSession, useWrite } from "../api/queries";
import type { Session } from "../api/types";
import { Icon } from "../parts/Icon";
import { text } from "../text";

interface Props {
  session: Session;
  onMenu: () => void;
  onSearch: () => void;
}

function LiveMark() {
  const isLive = useIsLive();
  const words = isLive ? text.nav.live : text.nav.polling;
  return (
    <span className={isLive ? "live-mark on" : "live-mark"} role="img" aria-label={words} title={words}>
      <span className="dot" />
    </span>
  );
}

export function TopBar({ session, onMenu, onSearch }: Props) {
  const { setColorScheme } = useMantineColorScheme();
  const isDark = useComputedColorScheme("light") === "dark";
  const client = useQueryClient();
  const write = useWrite();

  async function signOut(): Promise<void> {
    await write.mutateAsync({ method: "DELETE", path: "/session" }).catch(() => undefined);
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "session" && queryKey[0] !== "setup" });
    takeSession(client, null);
  }

  return (
    <header className="top-bar">
      <ActionIcon className="menu-button" variant="subtle" size="lg" aria-label={text.nav.open} onClick={onMenu}>
        <Icon name="menu" />
      </ActionIcon>
      <span className="account-name">{session.account.name}</span>
      <button type="button" className="search-button" onClick={onSearch} aria-keyshortcuts="Control+K">
        <Icon name="search" size={16} />
        <span>{text.nav.search}</span>
        <kbd>Ctrl K</kbd>
      </button>
      <LiveMark />
      <Menu position="bottom-end" withinPortal={false}>
        <Menu.Target>
          <Button variant="subtle" size="sm" className="user-button" leftSection={<Icon name="actors" size={16} />}>
            <span className="user-name">{session.actor.name}</span>
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>{session.actor.email}</Menu.Label>
          <Menu.Item
            leftSection={<Icon name={isDark ? "sun" : "moon"} size={16} />}
            onClick={() => {
              setColorScheme(isDark ? "light" : "dark");
            }}
          >
            {isDark ? text.nav.light : text.nav.dark}
          </Menu.Item>
          <Menu.Item
            leftSection={<Icon name="cross" size={16} />}
            onClick={() => {
              void signOut();
            }}
          >
            {text.nav.signOut}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </header>
  );
}
